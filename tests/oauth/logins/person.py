"""What a person does whom a client has sent to our pages: reads titles, fills fields, presses buttons."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mcp_server.oauth.login import totp
from tests.oauth.login.login_chromium import Chromium
from tests.oauth.logins.hall import PASSWORD


@dataclass
class Person:
    """Somebody in front of a browser."""

    browser: Chromium
    name: str = "anna"
    secret: str = ""
    """What their authenticator app knows, if they use one."""
    visits: list[list[str]] = field(default_factory=list[list[str]])
    """The titles of the pages that they have seen, visit by visit."""

    def allow(self, url: str) -> None:
        self.visit(url, "Allow")

    def refuse(self, url: str) -> None:
        self.visit(url, "Refuse")

    def visit(self, url: str, decision: str) -> None:
        """Go where a client sends them, sign in if they have to, and decide."""
        self.arrive(url)
        if "Sign in" in self.browser.title:
            self.sign_in()
        self.decide(decision)

    def arrive(self, url: str) -> None:
        """Open what a client wants to be opened."""
        self.visits.append([])
        self.browser.open(url)

    def decide(self, decision: str) -> None:
        self.sees("Allow access?")
        self.browser.press(decision)

    def sign_in(self, password: str = PASSWORD) -> None:
        self.sees("Sign in")
        self.browser.type("User name", self.name)
        self.browser.type("Password", password)
        self.browser.press("Sign in")
        if self.secret:
            self.sees("Enter your code")
            self.browser.type("Code", totp.code_at(self.secret, int(time.time() // totp.STEP)))
            self.browser.press("Go on")

    def allow_and_close(self, url: str) -> None:
        """Allow, and close the browser after it has come back: some clients go on only once it has hung up."""
        self.allow(url)
        self.browser.wait_until(lambda: "/callback?" in self.browser.url)
        self.browser.hang_up()

    def sees(self, title: str) -> None:
        """Wait for a page."""
        self.browser.wait_for(title)
        self.visits[-1].append(title)

"""Why a page cannot go on, as values: one place turns them into an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """What to do next."""

    path: str
    text: str


class Stop(Exception):  # noqa: N818 - it is what happens
    """The person is told this, and nothing else happens."""

    def __init__(
        self, status: int, title: str, text: str, *, link: Link | None = None, wait: int | None = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text
        self.link = link
        self.wait = wait
        """After how many seconds it may go on."""


def over() -> Stop:
    """There is nothing to decide."""
    text = (
        "It has been decided already, or it has waited too long. Go back to the application from which you came, and "
        "connect once more."
    )
    return Stop(410, "This request is over", text)


def forged() -> Stop:
    """What arrived was not sent by a page of ours, or by one that is too old."""
    text = (
        "What was sent did not come from a page that this server has shown you in this browser, so nothing was done. "
        "Go back to the application from which you came, and connect once more."
    )
    return Stop(403, "That did not come from here", text)


def no_cookies() -> Stop:
    """The browser keeps nothing, so that two requests of it cannot be known to belong together."""
    text = (
        "Signing in needs a cookie, and your browser has sent none. Allow cookies for this site, then go back to the "
        "application from which you came, and connect once more."
    )
    return Stop(400, "Your browser has sent no cookie", text)


def too_many(wait: int) -> Stop:
    """Somebody guesses, or cannot remember."""
    minutes = -(-wait // 60)
    span = "a minute" if minutes == 1 else f"{minutes} minutes"
    return Stop(429, "Too many tries", f"Wait {span}, then try once more.", wait=wait)


def unavailable() -> Stop:
    """The store does not answer."""
    return Stop(503, "Not possible at the moment", "The server cannot reach its records. Try once more in a minute.")

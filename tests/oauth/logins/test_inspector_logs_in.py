"""The Inspector logs in: on the command line, and as a page, with a person in a real browser."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.installed import INSPECTOR, node, node_packages
from tests.oauth.login.login_chromium import Chromium
from tests.oauth.logins.hall import Hall
from tests.oauth.logins.person import Person
from tests.oauth.logins.watching import Watching, nobody
from tests.served import PATIENCE, free_port

WHO = ("--method", "tools/call", "--tool-name", "who")
STORED = "--stored-auth-only"


@dataclass(frozen=True)
class Inspector:
    """The program, with a home of its own in which it keeps its tokens."""

    home: Path

    @property
    def command(self) -> list[str]:
        return [str(node()), str(node_packages(INSPECTOR) / "node_modules/.bin/mcp-inspector")]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "MCP_INSPECTOR_SECRET_STORE": "file",
            "MCP_AUTO_OPEN_ENABLED": "false",
        }

    def ask(self, house: Hall, act: Callable[[str], None], *words: str) -> tuple[int, str, str]:
        """How it ends, what it prints, and what it says beside it; it signs people in at a terminal only."""
        terminal, here = pty.openpty()
        end, begin = os.pipe()
        options = ["--transport", "http", "--callback-url", "http://127.0.0.1:0/oauth/callback"]
        program = subprocess.Popen(
            [*self.command, "--cli", house.url, *options, *words],
            env=self.environment, stdin=here, stdout=subprocess.PIPE, stderr=begin, text=True,
        )  # fmt: skip
        os.close(begin)
        watching = Watching(os.fdopen(end), act)
        try:
            printed, _ = program.communicate(timeout=4 * PATIENCE)
        finally:
            program.kill()
            watching.join(PATIENCE)
            os.close(terminal)
            os.close(here)
        return program.returncode, printed, watching.text


def caller(answer: tuple[int, str, str]) -> str:
    code, printed, said = answer
    assert code == 0, said
    return json.loads(printed)["structuredContent"]["subject"]


def test_on_the_command_line_a_login_lasts_until_it_is_revoked(house: Hall, browser: Chromium, tmp_path: Path) -> None:
    person = Person(browser, "iris")
    inspector = Inspector(tmp_path)
    code, _, said = inspector.ask(house, nobody, STORED, *WHO)
    assert (code, "auth_required" in said) == (3, True)
    code, _, said = inspector.ask(house, person.refuse, *WHO)
    assert (code, "The person did not agree." in said) == (1, True)
    code, printed, said = inspector.ask(house, person.allow_and_close, "--method", "tools/list")
    assert (code, "Authorization complete." in said) == (0, True), said
    assert [tool["name"] for tool in json.loads(printed)["tools"]] == ["who"]
    for era in ("legacy", "modern"):
        assert caller(inspector.ask(house, nobody, STORED, "--protocol-era", era, *WHO)) == "local:iris"
    house.let_tokens_expire("local:iris")
    assert caller(inspector.ask(house, nobody, STORED, *WHO)) == "local:iris"
    house.command("tokens", "revoke", "--subject", "local:iris")
    code, _, said = inspector.ask(house, nobody, STORED, *WHO)
    assert (code, "auth_required" in said, "invalid_grant" in said) == (3, True, True)
    assert caller(inspector.ask(house, person.allow_and_close, *WHO)) == "local:iris"
    assert len(person.visits) == 3


@contextmanager
def page(inspector: Inspector) -> Generator[str]:
    """Its page, and the word that lets one connect with a link."""
    port, word = free_port(), "the-word-of-the-test"
    environment = {
        **inspector.environment,
        "CLIENT_PORT": str(port),
        "MCP_SANDBOX_PORT": str(free_port()),
        "MCP_APP_ORIGIN_PORT": str(free_port()),
        "MCP_INSPECTOR_API_TOKEN": word,
    }
    program = subprocess.Popen(
        [*inspector.command, "--web"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with program:
        assert program.stdout is not None
        try:
            printed = ""
            while word not in printed:
                line = program.stdout.readline()
                assert line, printed
                printed += line
            yield f"http://127.0.0.1:{port}/?autoConnect={word}"
        finally:
            program.terminate()
            program.communicate(timeout=PATIENCE)


def test_its_page_logs_in_and_calls_a_tool(house: Hall, browser: Chromium, tmp_path: Path) -> None:
    browser.looks(width=1400, height=900)
    person = Person(browser, "iris")
    with page(Inspector(tmp_path)) as address:
        person.arrive(f"{address}&{urlencode({'serverUrl': house.url, 'transport': 'http'})}")
        person.sign_in()
        person.decide("Allow")
        browser.wait_until(lambda: "Authentication succeeded." in browser.text)
        browser.press("Tools")
        browser.press("who")
        browser.press("Execute Tool")
        browser.wait_until(lambda: "local:iris" in browser.text)

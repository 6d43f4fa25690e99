"""The official Python client, from a 401 to the tool that knows who calls, with a person in a real browser."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from mcp.client.auth import OAuthTokenError
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.oauth.login.login_chromium import Chromium
from tests.oauth.login.login_house import running
from tests.oauth.logins.hall import Hall, hall
from tests.oauth.logins.person import Person
from tests.oauth.logins.python_client import EXAMPLE, Mode, connected, example, who
from tests.served import PATIENCE

BACK = "http://127.0.0.1/callback"
"""As operators write it: the port of a program is another one each time, and does not count."""


@pytest.mark.parametrize(("name", "mode"), [("tina", "auto"), ("anna", "legacy")])
def test_a_login_lasts_until_it_is_revoked(
    house: Hall, browser: Chromium, monkeypatch: pytest.MonkeyPatch, name: str, mode: Mode
) -> None:
    person = Person(browser, name, house.secret if name == "tina" else "")
    monkeypatch.setattr(webbrowser, "open", person.allow)
    kept = example.Kept()
    pages = ["Sign in", *(["Enter your code"] if name == "tina" else []), "Allow access?"]

    async def main() -> None:
        async with connected(house, kept, mode) as client:
            said = await who(client)
            assert said["subject"] == f"local:{name}"
            assert said["client"] == kept.client.client_id
            assert {"read", "write"} <= set(said["scopes"])
            assert person.visits == [pages]
        # The token is over, and the program is started again: it refreshes, and nobody is asked.
        await asyncio.to_thread(house.let_tokens_expire, f"local:{name}")
        kept.until, before = 1.0, kept.tokens
        async with connected(house, kept, mode) as client:
            assert await who(client) == said
            assert kept.tokens.refresh_token != before.refresh_token
            assert len(person.visits) == 1
            # What the operator ends is over at once. The browser is signed in still: the person is only asked.
            await asyncio.to_thread(house.command, "tokens", "revoke", "--subject", f"local:{name}")
            assert await who(client) == said
            assert person.visits[1:] == [["Allow access?"]]

    asyncio.run(main())


def test_a_refresh_token_that_was_revoked_leads_to_a_new_login(
    house: Hall, browser: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person(browser)
    monkeypatch.setattr(webbrowser, "open", person.allow)
    kept = example.Kept()

    async def main() -> None:
        async with connected(house, kept) as client:
            await who(client)
        await asyncio.to_thread(house.command, "tokens", "revoke", "--client", kept.client.client_id)
        kept.until, before = 1.0, kept.client.client_id  # so that it tries to refresh first
        async with connected(house, kept) as client:
            assert (await who(client))["client"] == before
        assert len(person.visits) == 2

    asyncio.run(main())


def test_a_client_is_known_by_its_document(house: Hall, browser: Chromium, monkeypatch: pytest.MonkeyPatch) -> None:
    async def document(request: Request) -> Response:
        said = {"client_id": str(request.url), "client_name": "The documented", "redirect_uris": [BACK]}
        return JSONResponse({**said, "token_endpoint_auth_method": "none"})

    person = Person(browser)
    monkeypatch.setattr(webbrowser, "open", person.allow)
    with running(Starlette(routes=[Route("/client.json", document)]), tls=house.tls) as place:
        identity = f"{place.replace('http://127.0.0.1', 'https://localhost')}/client.json"

        async def main() -> dict[str, Any]:
            async with connected(house, example.Kept(), client_metadata_url=identity) as client:
                return await who(client)

        assert asyncio.run(main())["client"] == identity


def test_over_https_a_login_is_the_same(browser: Chromium, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    person = Person(browser)
    cookies: set[str] = set()

    def allow(url: str) -> None:
        person.arrive(url)
        person.sign_in()
        person.sees("Allow access?")
        cookies.update(browser.cookies())
        person.decide("Allow")

    monkeypatch.setattr(webbrowser, "open", allow)
    with hall(tmp_path, "anna", scheme="https") as house:

        async def main() -> None:
            async with connected(house, example.Kept()) as client:
                assert (await who(client))["subject"] == "local:anna"

        asyncio.run(main())
        assert cookies == {"__Host-mcp-session"}
        browser.hang_up()


def _of_the_operator(house: Hall, identity: str) -> OAuthClientInformationFull:
    """A client that has been made at the server by hand."""
    said = house.command("clients", "add", "--id", identity, "--name", "By hand", "--redirect-uri", BACK, "--secret")
    [secret] = [word for line in said.splitlines() for word in line.split() if len(word) > 40]
    return OAuthClientInformationFull(
        client_id=identity, client_secret=secret, redirect_uris=[AnyUrl(BACK)],
        token_endpoint_auth_method="client_secret_basic",
    )  # fmt: skip


def test_a_client_that_the_operator_has_made_proves_itself(
    house: Hall, browser: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person(browser)
    monkeypatch.setattr(webbrowser, "open", person.allow)
    kept = example.Kept()
    kept.client = _of_the_operator(house, "by-hand")

    async def main() -> None:
        async with connected(house, kept) as client:
            assert (await who(client))["client"] == "by-hand"
        kept.client.client_secret = "another one"
        kept.tokens = None
        with pytest.raises(BaseExceptionGroup) as raised:
            async with connected(house, kept):
                pass
        assert raised.group_contains(OAuthTokenError, match="invalid_client")

    asyncio.run(main())


def test_the_program_in_the_documentation_opens_a_browser_and_lists_the_tools(house: Hall, browser: Chromium) -> None:
    environment = {**os.environ, "BROWSER": "echo open %s", "PYTHONUNBUFFERED": "1"}
    program = subprocess.Popen(
        [sys.executable, str(EXAMPLE), house.url], env=environment, stdout=subprocess.PIPE, text=True
    )
    with program:
        assert program.stdout is not None
        Person(browser).allow(program.stdout.readline().removeprefix("open ").strip())
        assert program.communicate(timeout=PATIENCE)[0] == "['who']\n"

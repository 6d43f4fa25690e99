"""`mcp-server tokens` and `mcp-server clients`, on a real file."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from granting import CLIENT, Granting
from issuing import CLAUDE, flow, house

from mcp_server.cli import main
from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login.sessions import CONSENT, SESSION, Sessions
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.grants import KIND
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.registrations import Registrations
from mcp_server.stores import Store, open_store


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the store that the command finds."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORE_URL", url)
    return url


def run(*args: str) -> Result:
    result = CliRunner().invoke(main, args)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def within(url: str, work: Callable[[Store], Awaitable[Any]]) -> Any:
    async def doing() -> Any:
        store = open_store(url)
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(doing())


def granted(url: str, *subjects: str) -> list[Any]:
    async def work(store: Store) -> list[Any]:
        granting = Granting(store)
        return [await granting.tokens(subject) for subject in subjects]

    return within(url, work)


def good(url: str, token: str) -> bool:
    async def work(store: Store) -> bool:
        return await Granting(store).grants.access(token) is not None

    return within(url, work)


def test_grants_are_listed_without_any_part_of_a_token(kept: str) -> None:
    assert run("tokens", "list").output == "There are none.\n"
    (tokens,) = granted(kept, "local:anna\x1b[31m")
    said = run("tokens", "list").output
    assert re.search(r"^[0-9a-f]{32}  local:anna\ufffd\[31m  A client \(the-client\)  20\d\d-", said, re.MULTILINE)
    assert said.rstrip().endswith("read")
    for token in (tokens.access, tokens.refresh):
        assert not [at for at in range(0, 128, 16) if token[at : at + 16] in said]


def test_a_grant_is_ended_by_its_id(kept: str) -> None:
    first, second = granted(kept, "local:anna", "local:ben")
    identity = re.findall(r"^(\w{32})  local:anna ", run("tokens", "list").output, re.MULTILINE)[0]
    assert run("tokens", "revoke", identity).output == "Ended 1 grant.\n"
    assert [good(kept, each.access) for each in (first, second)] == [False, True]
    assert run("tokens", "revoke", identity).exit_code == 1


def test_the_grants_of_a_person_or_a_client_are_listed_and_ended(kept: str) -> None:
    granted(kept, "local:anna", "local:anna", "local:ben")
    assert run("tokens", "list", "--subject", "local:anna").output.count("the-client") == 2
    assert run("tokens", "list", "--client", "another").output == "There are none.\n"
    assert run("tokens", "revoke", "--subject", "local:anna", "--client", "another").output == "Ended 0 grants.\n"
    assert run("tokens", "revoke", "--subject", "local:anna").output == "Ended 2 grants.\n"
    assert run("tokens", "revoke", "--client", CLIENT.id).output == "Ended 1 grant.\n"


def test_a_person_of_another_provider_is_signed_out_as_well(kept: str) -> None:
    """Whoever is still signed in could allow everything again, and a remembered consent would do so unasked."""
    anna, ben = "https://login.example.com/#auth0|1", "https://login.example.com/#auth0|2"
    granted(kept, anna, ben)

    async def sign_in(store: Store) -> None:
        for subject in (anna, ben):
            await Sessions(store, "oidc:x", 600).open(Person(subject))
            await store.put(CONSENT, f"of {subject}", b"{}", lifetime=600, owner=subject)

    async def left(store: Store) -> list[str]:
        kinds = (SESSION, CONSENT, KIND)
        return [record.owner for kind in kinds for record in await store.find(kind)]

    within(kept, sign_in)
    ended = run("tokens", "revoke", "--subject", anna, "--sign-out").output
    assert ended == "Ended 1 grant. Of sessions and consents: 2.\n"
    assert within(kept, left) == [ben] * 3


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("x" * 32, "--subject", "local:anna"),
        ("x" * 32, "--sign-out"),
        ("--client", "claude", "--sign-out"),
        ("--client", "claude", "--subject", "local:anna", "--sign-out"),
    ],
)
def test_what_is_to_end_has_to_be_clear(kept: str, args: tuple[str, ...]) -> None:
    assert run("tokens", "revoke", *args).exit_code == 2


def test_a_client_is_added_with_a_secret_that_is_told_once(kept: str) -> None:
    assert "There are none" in run("clients", "list").output
    added = run("clients", "add", "--id", "shop", "--name", "The shop", "--redirect-uri", CLAUDE[0], "--secret")
    secret = re.findall(r"client_secret: (\S+)", added.output)[0]
    said = run("clients", "list").output
    assert re.search(rf"^shop +The shop +secret +it is revoked +{CLAUDE[0]}$", said, re.MULTILINE)
    assert secret not in said
    assert secret.encode() not in Path(kept.removeprefix("sqlite:///")).read_bytes()
    with house(open_store(kept)) as home, flow(home, client_id="shop") as client:
        assert client.redeem(client.code(), client_secret=secret).status_code == 200
        assert client.redeem(client.code()).status_code == 401
        assert (
            home.run(home.approvals.pending(client.authorize().headers["location"].partition("request=")[2])).known_by
            == "settings"
        )


def test_a_machine_is_added(kept: str) -> None:
    said = run("clients", "add", "--machine", "--scope", "read").output
    identity, secret = (re.findall(rf"{name}: +(\S+)", said)[0] for name in ("client_id", "client_secret"))
    with house(open_store(kept)) as home, home.client() as http:
        asks = {"grant_type": "client_credentials", "client_id": identity, "client_secret": secret}
        assert http.post("/token", data=asks).json()["scope"] == "read"


def test_a_public_client_is_added_without_a_secret(kept: str) -> None:
    said = run("clients", "add", "--redirect-uri", CLAUDE[0]).output
    assert re.fullmatch(r"client_id: +[0-9a-f]{16}\n", said)


@pytest.mark.parametrize(
    "args",
    [(), ("--machine", "--redirect-uri", CLAUDE[0]), ("--redirect-uri", "javascript:x"), ("--machine", "--id", "a b")],
)
def test_what_can_be_no_client_is_not_added(kept: str, args: tuple[str, ...]) -> None:
    assert run("clients", "add", *args).exit_code == 2


def test_an_id_is_given_once(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("clients", "add", "--id", "a", "--redirect-uri", CLAUDE[0]).exit_code == 0
    assert run("clients", "add", "--id", "a", "--redirect-uri", CLAUDE[0]).exit_code == 1
    monkeypatch.setenv("OAUTH_CLIENTS", json.dumps([{"client_id": "b", "redirect_uris": [CLAUDE[0]]}]))
    assert run("clients", "add", "--id", "b", "--redirect-uri", CLAUDE[0]).exit_code == 1
    assert re.search(r"^b +b +nothing +in settings ", run("clients", "list").output, re.MULTILINE)
    assert "OAUTH_CLIENTS" in run("clients", "revoke", "b").output


def test_a_client_is_forgotten_with_all_that_it_was_allowed(kept: str) -> None:
    async def register(store: Store) -> str:
        registrations = Registrations(store, ServerOptions("https://a.example"), Granting(store).clock)
        key = ({"kty": "OKP"},)
        client, _ = await registrations.register(
            Client("", "X", redirect_uris=(CLAUDE[0],), method="private_key_jwt", keys=key)
        )
        return client.id

    identity = within(kept, register)
    assert re.search(rf"^{identity} +X +key +20\d\d-", run("clients", "list").output, re.MULTILINE)
    assert run("clients", "revoke", identity).output == f"Forgot {identity}, and ended 0 grants.\n"
    (tokens,) = granted(kept, "local:anna")
    # Its registration is gone, or was never there; what it was allowed is ended all the same.
    assert run("clients", "revoke", CLIENT.id).output == f"Forgot {CLIENT.id}, and ended 1 grant.\n"
    assert not good(kept, tokens.access)
    assert run("clients", "revoke", CLIENT.id).exit_code == 1


@pytest.mark.parametrize("url", ["memory://", "nonsense", "redis://127.0.0.1:1/0"])
def test_a_store_that_cannot_be_used_is_explained(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORE_URL", url)
    result = run("tokens", "list")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


def test_clients_in_the_settings_that_are_none_are_explained(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTH_CLIENTS", '[{"client_id": "a"}]')
    assert (
        "OAUTH_CLIENTS has a client, number 1, that is wrong: redirect_uris is missing" in run("clients", "list").output
    )

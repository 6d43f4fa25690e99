"""OAuth as the settings switch it on: the application that is served, from a 401 to a tool that knows who calls."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from mcp_server import Server
from mcp_server.oauth.approvals import Person
from mcp_server.settings import Settings, SettingsError
from mcp_server.stores import Store, StoreUnavailable, open_store
from mcp_server.stores.on_demand import StoreOnDemand
from tests.oauth.login.login_house import Browser
from tests.oauth.server.issuing import Flow, House
from tests.oauth.wired import add_user, called, code_from_pages, discovered, said_by, sqlite, who_server, wired

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-key-of-more-than-32-characters-0123456789"
AWAY = "redis://127.0.0.1:1/0"


def signed_in(home: House, http: httpx2.Client) -> tuple[Flow, dict[str, str]]:
    """A client that has found everything out for itself, and the tokens that Anna has let it have."""
    client = Flow(home, http)
    assert discovered(home, http)["token_endpoint"] == f"{home.url}/token"
    client.register()
    answer = client.redeem(code_from_pages(client))
    assert answer.status_code == 200, answer.text
    return client, answer.json()


def test_a_client_that_knows_the_address_alone_gets_to_a_tool_that_knows_who_calls(tmp_path: Path) -> None:
    add_user(sqlite(tmp_path))
    with wired(store=sqlite(tmp_path)) as home, home.client() as http:
        client, tokens = signed_in(home, http)
        assert said_by(called(http, tokens["access_token"])) == {
            "subject": "local:anna",
            "client": client.client_id,
            "scopes": ["read"],
        }
        again = client.refresh(tokens["refresh_token"]).json()
        assert said_by(called(http, again["access_token"]))["subject"] == "local:anna"


def test_a_token_that_is_revoked_opens_nothing_from_then_on(tmp_path: Path) -> None:
    add_user(sqlite(tmp_path))
    with wired(store=sqlite(tmp_path)) as home, home.client() as http:
        client, tokens = signed_in(home, http)
        assert called(http, tokens["access_token"]).status_code == 200
        form = {"token": tokens["access_token"], "client_id": client.client_id}
        assert http.post("/revoke", data=form).status_code == 200
        assert called(http, tokens["access_token"]).status_code == 401


def test_a_key_opens_as_well_as_a_token(tmp_path: Path) -> None:
    with wired(store=sqlite(tmp_path), mcp_api_key=KEY) as home, home.client() as http:
        assert said_by(called(http, KEY)) == {"subject": "", "client": "", "scopes": None}
        assert called(http, "nobody's").status_code == 401


def test_a_client_may_name_any_address_of_this_machine_as_the_resource(tmp_path: Path) -> None:
    add_user(sqlite(tmp_path))
    with wired(store=sqlite(tmp_path)) as home, home.client() as http:
        client = Flow(home, http)
        client.register()
        there = home.url.replace("localhost", "127.0.0.1") + "/mcp"
        answer = client.redeem(code_from_pages(client, resource=there), resource=there)
        assert said_by(called(http, answer.json()["access_token"]))["subject"] == "local:anna"


def test_who_knows_no_token_because_its_store_is_away_lets_nobody_in() -> None:
    with wired(store=AWAY) as home, home.client() as http:
        assert called(http, "0" * 128).status_code == 503
        answer = http.get("/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "waiting", "waiting_for": ["store_of_tokens"]})
        assert http.get("/health").status_code == 200


def test_ones_own_code_says_who_signs_in(tmp_path: Path) -> None:
    server = who_server()

    @server.sign_in
    async def who_is_it(request: Request) -> Person | None:
        return Person("shop:17", "Berta") if request.cookies.get("shop") == "17" else None

    assert server.signing_in is who_is_it
    with wired(server, store=sqlite(tmp_path)) as home, home.client() as http, Browser() as browser:
        browser.client.cookies.set("shop", "17")
        client = Flow(home, http)
        client.register()
        page = browser.get(str(http.build_request("GET", "/authorize", params=client.asks()).url))
        code = browser.submit(page, "/auth/consent", decision="allow").sent_to["code"]
        tokens = client.redeem(code).json()
        assert said_by(called(http, tokens["access_token"]))["subject"] == "shop:17"


def test_pages_of_other_origins_may_read_the_metadata_and_ask_for_tokens(tmp_path: Path) -> None:
    with wired(store=sqlite(tmp_path)) as home, home.client(headers={"origin": "https://app.example.com"}) as http:
        for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"):
            answer = http.get(path)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert http.post("/token", data={"grant_type": "none"}).status_code == 401
        assert http.post("/authorize", data={}).status_code == 400


@pytest.mark.parametrize(
    ("settings", "variable"),
    [({"oauth_clients": '[{"id": "x"}]'}, "OAUTH_CLIENTS"), ({"public_url": "http://mcp.example.com"}, "PUBLIC_URL")],
)
def test_what_cannot_be_served_stops_the_start_with_the_name_of_the_variable(
    settings: dict[str, Any], variable: str
) -> None:
    said: dict[str, Any] = {"oauth_enabled": True, "host": "127.0.0.1", "store_url": "memory://", **settings}
    with pytest.raises(SettingsError) as raised:
        Server("x").http_app(Settings(**said))
    assert [problem.variable for problem in raised.value.problems] == [variable]


def test_a_client_that_is_none_ends_the_process_with_78_and_a_line() -> None:
    environment = {"PATH": os.environ["PATH"], "OAUTH_ENABLED": "true", "OAUTH_CLIENTS": '[{"id": "x"}]', "PORT": "1"}
    ran = subprocess.run(
        [sys.executable, "main_http.py"], cwd=ROOT, env={**environment, "STORE_URL": "memory://"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 78
    assert "OAUTH_CLIENTS" in ran.stderr
    assert "Traceback" not in ran.stderr


# -- the store that is opened when it is needed ----------------------------------------------------------------------


class Door:
    """Makes stores in memory, of which the first so many cannot be opened."""

    def __init__(self, shut: int = 0) -> None:
        self.made = 0
        self.shut = shut

    def __call__(self) -> Store:
        self.made += 1
        return open_store(AWAY if self.made <= self.shut else "memory://")


def on_loop(work: Callable[[Door, StoreOnDemand], object], shut: int = 0) -> None:
    async def main() -> None:
        door = Door(shut)
        store = StoreOnDemand(door)
        outcome = work(door, store)
        assert asyncio.iscoroutine(outcome)
        await outcome
        await store.close()

    asyncio.run(main())


def test_many_who_need_the_store_at_once_open_it_once() -> None:
    async def work(door: Door, store: StoreOnDemand) -> None:
        await asyncio.gather(*[store.put("kind", str(n), b"v", lifetime=None, owner="o") for n in range(20)])
        assert door.made == 1
        assert len(await store.find("kind", owner="o")) == 20

    on_loop(work)


def test_a_store_that_could_not_be_opened_is_tried_again() -> None:
    async def work(door: Door, store: StoreOnDemand) -> None:
        with pytest.raises(StoreUnavailable):
            await store.open()
        await store.open()
        assert door.made == 2

    on_loop(work, shut=1)


def test_a_store_that_was_closed_is_opened_anew() -> None:
    async def work(door: Door, store: StoreOnDemand) -> None:
        await store.open()
        await store.close()
        assert await store.get("kind", "key") is None
        assert door.made == 2

    on_loop(work)


def test_everything_that_a_store_can_do_is_passed_on() -> None:
    async def work(_: Door, store: StoreOnDemand) -> None:
        assert await store.add("kind", "key", b"a", lifetime=None)
        assert not await store.add("kind", "key", b"b", lifetime=None)
        assert await store.swap("kind", "key", b"a", b"c", lifetime=None)
        taken = await store.take("kind", "key")
        assert taken is not None
        assert taken.value == b"c"
        assert not await store.delete("kind", "key")
        assert await store.sweep() == 0

    on_loop(work)

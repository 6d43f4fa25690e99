"""Under which addresses a server with OAuth is known, and what pages of other origins may ask it."""

from __future__ import annotations

from pathlib import Path

from tests.oauth.server.issuing import Flow
from tests.oauth.wired import add_user, called, code_from_pages, said_by, sqlite, wired


def test_a_client_may_name_any_address_of_this_machine_as_the_resource(tmp_path: Path) -> None:
    add_user(sqlite(tmp_path))
    with wired(store=sqlite(tmp_path)) as home, home.client() as http:
        client = Flow(home, http)
        client.register()
        there = home.url.replace("localhost", "127.0.0.1") + "/mcp"
        answer = client.redeem(code_from_pages(client, resource=there), resource=there)
        assert said_by(called(http, answer.json()["access_token"]))["subject"] == "local:anna"


def test_pages_of_other_origins_may_read_the_metadata_and_ask_for_tokens(tmp_path: Path) -> None:
    with wired(store=sqlite(tmp_path)) as home, home.client(headers={"origin": "https://app.example.com"}) as http:
        for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"):
            answer = http.get(path)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert http.post("/token", data={"grant_type": "none"}).status_code == 401
        assert http.post("/authorize", data={}).status_code == 400

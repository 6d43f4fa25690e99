"""Ways in which it is known with every request who somebody is: a proxy's header, own code, nobody at all."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from login_house import Browser, house
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login.ambient import AutoApproval, OwnCode, ProxyHeader
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.stops import Stop

HEADER = "X-Forwarded-User"


def behind_proxy(*trusted: str) -> Any:
    return house(ProxyHeader(HEADER, trusted or ("127.0.0.1/32",)))


# A proxy's header


def test_whom_the_proxy_names_decides_without_signing_in_here() -> None:
    with behind_proxy() as server, Browser(x_forwarded_user="anna@example.com") as browser:
        asked = browser.get(server.page(server.approvals.ask()))
        assert "anna@example.com" in asked.text
        assert "Use another account" not in asked.text
        left = browser.submit(asked, "/auth/consent", decision="allow")
        assert left.sent_to["code"] == "code-of-proxy:anna@example.com"


def test_a_name_is_not_believed_from_whoever_is_no_proxy() -> None:
    with behind_proxy("10.0.0.0/8") as server, Browser(x_forwarded_user="anna") as browser:
        pending = server.approvals.ask()
        for headers in ({}, {"x_forwarded_for": "10.1.2.3"}, {"forwarded": "for=10.1.2.3"}):
            answer = browser.get(server.page(pending), **headers)
            assert (answer.status, "You are not signed in" in answer.text) == (403, True)


@pytest.mark.parametrize("name", ["", "anna, bob", "an\tna", "x" * 201])
def test_a_name_that_is_none_signs_nobody_in(name: str) -> None:
    with behind_proxy() as server, Browser(x_forwarded_user=name) as browser:
        assert browser.get(server.page(server.approvals.ask())).status == 403


def test_two_names_sign_nobody_in() -> None:
    """A client's own header may arrive beside the proxy's."""
    with behind_proxy() as server:
        path = server.page(server.approvals.ask()).removeprefix(server.url)
        assert server.raw(path, (HEADER, "anna"))[0] == 200
        assert server.raw(path, (HEADER, "admin"), (HEADER, "anna"))[0] == 403


def test_without_the_header_nobody_is_signed_in() -> None:
    with behind_proxy() as server, Browser() as browser:
        assert browser.get(server.page(server.approvals.ask())).status == 403


def test_a_form_of_one_person_is_none_of_the_next_whom_the_proxy_names() -> None:
    with behind_proxy() as server, Browser() as browser:
        pending = server.approvals.ask()
        fields = browser.get(server.page(pending), x_forwarded_user="anna").form("/auth/consent").fields
        sent = {**fields, "decision": "allow"}
        assert browser.post(f"{server.url}/auth/consent", sent, x_forwarded_user="bob").status == 403
        assert browser.post(f"{server.url}/auth/consent", sent).status == 403
        assert server.approvals.allowed == []
        assert browser.post(f"{server.url}/auth/consent", sent, x_forwarded_user="anna").refresh is not None


def test_a_form_needs_the_cookie_of_its_page_behind_a_proxy_too() -> None:
    with behind_proxy() as server, Browser(x_forwarded_user="anna") as browser:
        asked = browser.get(server.page(server.approvals.ask()))
        browser.client.cookies.clear()
        answer = browser.submit(asked, "/auth/consent", decision="allow")
        assert (answer.status, server.approvals.allowed) == (400, [])


@pytest.mark.parametrize("trusted", [(), ("*",), ("10.0.0.0/8", "*")])
def test_a_header_without_a_list_of_proxies_is_refused_at_the_start(trusted: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="TRUSTED_PROXIES"):
        ProxyHeader(HEADER, trusted)


def test_there_is_nothing_to_sign_in_or_out_behind_a_proxy() -> None:
    with behind_proxy() as server, Browser(x_forwarded_user="anna") as browser:
        assert browser.get(f"{server.url}/auth/login").status == 404
        assert browser.get(f"{server.url}/auth/logout").status == 404


# The developer's own code


def with_hook(hook: Any) -> Any:
    return house(OwnCode(hook))


def test_own_code_says_who_it_is() -> None:
    async def who(request: Request) -> Person | None:
        name = request.cookies.get("own-session")
        return Person(f"own:{name}", "Anna of the house") if name else None

    with with_hook(who) as server, Browser(cookie="own-session=anna") as browser, Browser() as stranger:
        pending = server.approvals.ask()
        assert "Anna of the house" in browser.get(server.page(pending)).text
        assert stranger.get(server.page(pending)).status == 403


def test_own_code_can_send_people_to_its_own_page() -> None:
    async def who(request: Request) -> Person | Response:
        query = urlencode({"back": str(request.url)})
        return RedirectResponse(f"https://accounts.example.com/?{query}", 303)

    with with_hook(who) as server, Browser(follow=False) as browser:
        pending = server.approvals.ask()
        answer = browser.get(server.page(pending))
        assert answer.headers["location"].startswith("https://accounts.example.com/?back=http")
        posted = browser.post(f"{server.url}/auth/consent", {"request": pending.id, "decision": "allow"})
        assert posted.headers["location"].startswith("https://accounts.example.com/")
        assert server.approvals.allowed == []


def test_the_example_of_the_documentation_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[3] / "examples" / "docs"), *sys.path])
    who_is_it = importlib.import_module("own_login").who_is_it
    with (
        with_hook(who_is_it) as server,
        Browser(follow=False) as stranger,
        Browser(cookie="shop-session=a1b2c3") as anna,
    ):
        pending = server.approvals.ask()
        assert "Anna Example" in anna.get(server.page(pending)).text
        back = f"back=%2Fauth%2Fconsent%3Frequest%3D{pending.id}"
        assert stranger.get(server.page(pending)).headers["location"] == f"https://shop.example.com/login?{back}"
        with Browser(cookie="shop-session=made-up") as mallory:
            assert mallory.get(server.page(pending)).status == 403


# Nobody is asked


def unasked() -> Any:
    return house(AutoApproval)


def test_on_the_developers_machine_nobody_is_asked() -> None:
    with unasked() as server, Browser() as browser, Browser(accept="*/*", follow=False) as program:
        assert browser.get(server.page(server.approvals.ask())).sent_to["code"] == "code-of-dev:local"
        redirect = program.get(server.page(server.approvals.ask()))
        assert (redirect.status, "code=code-of-dev" in redirect.headers["location"]) == (303, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "127.0.0.1"},
        {"x_forwarded_proto": "https"},
        {"x_forwarded_host": "localhost"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 tunnel"},
        {"cf_connecting_ip": "127.0.0.1"},
    ],
)
def test_whatever_was_passed_on_is_refused(headers: dict[str, str]) -> None:
    with unasked() as server, Browser() as browser:
        pending = server.approvals.ask()
        answer = browser.get(server.page(pending), **headers)
        assert (answer.status, "Only on its own machine" in answer.text) == (403, True)
        assert pending.id in server.approvals.waiting


def test_another_host_name_is_refused() -> None:
    with unasked() as server:
        pending = server.approvals.ask()
        assert server.raw(f"/auth/consent?request={pending.id}", ("Host", "evil.example"))[0] == 403
        assert pending.id in server.approvals.waiting


def test_a_page_of_another_site_gets_no_code_without_a_question() -> None:
    """Any page can send the developer's browser here, with a client that it has registered itself."""
    with unasked() as server, Browser() as browser:
        pending = server.approvals.ask()
        answer = browser.get(server.page(pending), sec_fetch_site="cross-site")
        assert answer.refresh is None
        assert "Allow" in answer.text
        assert pending.id in server.approvals.waiting


@pytest.mark.parametrize("url", ["https://mcp.example.com", "https://192.168.1.5"])
def test_asking_nobody_is_refused_at_the_start_for_a_public_address(url: str) -> None:
    with pytest.raises(ValueError, match="auto"):
        AutoApproval(LoginOptions(url, "Catalogue"))


@pytest.mark.parametrize(
    ("client", "host", "allowed"),
    [
        (("127.0.0.1", 1), "localhost:8000", True),
        (("::1", 1), "[::1]:8000", True),
        (("192.168.1.7", 1), "localhost:8000", False),
        (("127.0.0.1", 1), "192.168.1.7:8000", False),
        (("127.0.0.1", 1), "localhost.evil.example", False),
        (None, "localhost:8000", False),
    ],
)
def test_only_this_machine_under_its_own_name_is_not_asked(
    client: tuple[str, int] | None, host: str, allowed: bool
) -> None:
    way = AutoApproval(LoginOptions("http://localhost:8000", "Catalogue"))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())], "client": client}
    if allowed:
        assert asyncio.run(way.who(Request(scope))).subject == "dev:local"
    else:
        with pytest.raises(Stop):
            asyncio.run(way.who(Request(scope)))


def test_a_proxy_at_a_socket_is_trusted_if_that_is_listed() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-forwarded-user", b"anna")], "client": None}
    assert asyncio.run(ProxyHeader(HEADER, ["unknown"]).who(Request(scope))).subject == "proxy:anna"
    with pytest.raises(Stop):
        asyncio.run(ProxyHeader(HEADER, ["10.0.0.0/8"]).who(Request(scope)))

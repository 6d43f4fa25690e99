"""Attacks on the pages, each over HTTP and as an attacker would do it; without its defence each of them succeeds."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from certificates import self_signed
from login_house import PASSWORD, Browser, House, house, quick_users

from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.passwords import Passwords
from mcp_server.oauth.login.tries import BY_BOTH, BY_USER, CODES
from mcp_server.oauth.login.users import Users
from mcp_server.stores.memory import MemoryStore

MALLORY = "mallory-has-a-password"


@pytest.fixture
def server() -> Generator[House]:
    with house(users={"anna": PASSWORD, "mallory": MALLORY}) as found:
        yield found


# Forged posts


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9"},
        {"origin": "http://127.0.0.1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": None},
        {"sec_fetch_site": "none", "origin": None},
    ],
)
@pytest.mark.parametrize("action", ["/auth/consent", "/auth/login", "/auth/logout"])
def test_a_form_that_a_foreign_page_sends_does_nothing(
    server: House, action: str, headers: dict[str, str | None]
) -> None:
    with Browser() as browser:
        pending = server.approvals.ask()
        page = browser.get(server.page(pending)) if action == "/auth/login" else browser.sign_in(server, pending)
        typed = {"decision": "allow", "name": "anna", "password": PASSWORD}
        answer = browser.post(f"{server.url}{action}", {**page.form(action).fields, **typed}, **headers)
        assert answer.status == 403
        assert server.approvals.allowed == []
        assert ("Allow" in browser.get(server.page(pending)).text) is (action != "/auth/login")


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_our_token_does_nothing(server: House, token: str) -> None:
    with Browser() as browser:
        pending = server.approvals.ask()
        browser.sign_in(server, pending)
        sent = {"request": pending.id, "decision": "allow", "csrf": token}
        assert browser.post(f"{server.url}/auth/consent", sent).status == 403
        assert browser.post(f"{server.url}/auth/consent", {"request": pending.id, "decision": "allow"}).status == 403
        assert server.approvals.allowed == []


def test_a_token_for_one_request_is_none_for_another(server: House) -> None:
    with Browser() as browser:
        mine, evil = server.approvals.ask(), server.approvals.ask(client_name="Evil")
        fields = browser.sign_in(server, mine).form("/auth/consent").fields
        sent = {**fields, "request": evil.id, "decision": "allow"}
        assert browser.post(f"{server.url}/auth/consent", sent).status == 403
        assert server.approvals.allowed == []


def test_a_token_of_one_person_is_none_of_another(server: House) -> None:
    """Mallory opens the request that waits for Anna, and gives her the token of the page."""
    with Browser() as mallory, Browser() as anna:
        pending = server.approvals.ask()
        token = mallory.sign_in(server, pending, "mallory", MALLORY).form("/auth/consent").fields["csrf"]
        anna.sign_in(server, pending)
        sent = {"request": pending.id, "decision": "allow", "csrf": token}
        assert anna.post(f"{server.url}/auth/consent", sent).status == 403
        assert server.approvals.allowed == []


def test_a_token_for_one_client_is_none_for_another_under_the_same_request(server: House) -> None:
    from dataclasses import replace

    with Browser() as browser:
        pending = server.approvals.ask()
        asked = browser.sign_in(server, pending)
        server.approvals.waiting[pending.id] = replace(pending, redirect_uri="https://evil.example/callback")
        assert browser.submit(asked, "/auth/consent", decision="allow").status == 403
        server.approvals.waiting[pending.id] = replace(pending, client_id="https://evil.example/client")
        assert browser.submit(asked, "/auth/consent", decision="allow").status == 403


def test_a_foreign_page_cannot_sign_somebody_in_as_the_attacker(server: House) -> None:
    """Login CSRF: Anna would work in Mallory's account. The token that Mallory has is that of her own browser."""
    with Browser() as mallory, Browser() as anna:
        pending = server.approvals.ask()
        hers = mallory.get(server.page(pending)).form("/auth/login").fields
        anna.get(server.page(pending))
        answer = anna.post(f"{server.url}/auth/login", {**hers, "name": "mallory", "password": MALLORY})
        assert answer.status == 403
        assert "Sign in" in anna.get(server.page(pending)).text


def test_neither_decision_is_taken_for_allow(server: House) -> None:
    with Browser() as browser:
        asked = browser.sign_in(server, server.approvals.ask())
        for said in ({}, {"decision": ""}, {"decision": "ALLOW"}):
            assert browser.submit(asked, "/auth/consent", **said).status == 403
        assert (server.approvals.allowed, server.approvals.refused) == ([], [])


def test_a_decision_cannot_be_taken_with_a_get(server: House) -> None:
    with Browser() as browser:
        pending = server.approvals.ask()
        token = browser.sign_in(server, pending).form("/auth/consent").fields["csrf"]
        browser.get(f"{server.url}/auth/consent?request={pending.id}&decision=allow&csrf={token}")
        assert server.approvals.allowed == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x" * 20_000, "application/x-www-form-urlencoded"),
        (b"request=\xff\xfe", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=b" % each for each in range(100)), "application/x-www-form-urlencoded"),
        (b'{"decision": "allow"}', "application/json"),
        (b"decision=allow", "text/plain"),
        (b"decision=allow&decision=refuse", "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_form_of_ours_is_refused(server: House, body: bytes, kind: str) -> None:
    with Browser() as browser:
        answer = browser.client.post(f"{server.url}/auth/consent", content=body, headers={"content-type": kind})
        assert answer.status_code == 403


# Frames, scripts, caches

PAGES = ["/auth/login?request={}", "/auth/consent?request={}", "/auth/consent?request=none", "/auth/logout"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_can_be_framed_run_scripts_load_anything_or_be_kept(server: House, path: str) -> None:
    with Browser() as browser:
        pending = server.approvals.ask()
        if "consent" in path or "logout" in path:
            browser.sign_in(server, pending)
        answer = browser.get(f"{server.url}{path.format(pending.id)}")
        parts = [part.strip().partition(" ") for part in str(answer.headers["content-security-policy"]).split(";")]
        policy = {name: value for name, _, value in parts}
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert "script-src" not in policy
        assert "unsafe" not in str(policy)
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def test_the_page_with_the_code_tells_nobody_where_it_came_from(server: House) -> None:
    with Browser() as browser:
        asked = browser.sign_in(server, server.approvals.ask())
        left = browser.submit(asked, "/auth/consent", decision="allow")
        assert left.headers["referrer-policy"] == "no-referrer"
        assert left.headers["cache-control"] == "no-store"
        assert left.headers["x-frame-options"] == "DENY"


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'></title></style><svg onload=alert(1)>",
    "{csrf} %s {0}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_client_calls_itself_becomes_markup(server: House, text: str) -> None:
    about: dict[str, Any] = {
        "client_name": text,
        "client_uri": f"https://evil.example/{text}",
        "client_id": f"https://evil.example/{text}",
        "redirect_uri": f"https://evil.example/{text}",
        "resource": f"https://catalog.example.com/{text}",
        "scopes": (text,),
    }
    with Browser() as browser:
        for known_by in ("settings", "document", "registration"):
            pending = server.approvals.ask(**about, known_by=known_by)
            page = browser.get(server.page(pending))
            pages = [page.text]
            if page.forms[0].action == "/auth/login":
                page = browser.submit(page, "/auth/login", name=text, password=text)
                pages.append(page.text)
                page = browser.submit(page, "/auth/login", name="anna", password=PASSWORD)
            pages += [page.text, browser.submit(page, "/auth/consent", decision="allow").text]
            for html in pages:
                assert "<script" not in html
                assert "<img" not in html
                assert "<svg" not in html
                assert html.count("</title>") == html.count("</style>") == 1


def test_a_name_can_neither_run_backwards_nor_push_the_page_away(server: House) -> None:
    name = "Claude\u202e\u2066\u200b\x00\x1b[31m" + "\u0301" * 50 + "\n\n\n" + "A" * 5000
    with Browser() as browser:
        text = browser.sign_in(server, server.approvals.ask(client_name=name)).text
        shown = text.partition("“")[2].partition("”")[0]
        assert len(shown) <= 60
        assert shown.startswith("Claude[31")
        assert all(each not in text for each in "\u202e\u2066\u200b\x00\x1b")
        assert shown.count("\u0301") <= 2


def test_a_host_of_another_alphabet_is_shown_as_it_is_asked_for(server: House) -> None:
    with Browser() as browser:
        pending = server.approvals.ask(
            redirect_uri="https://\u0441laude.ai/callback", client_uri="https://\u0441laude.ai"
        )
        text = browser.sign_in(server, pending).text
        assert "<b>xn--laude-0ye.ai</b>" in text


def test_a_login_in_an_address_does_not_pass_for_its_host(server: House) -> None:
    with Browser() as browser:
        pending = server.approvals.ask(redirect_uri="https://claude.ai@evil.example/callback")
        assert '<div class="goes"><b>evil.example</b>' in browser.sign_in(server, pending).text


# Redirects to elsewhere


@pytest.mark.parametrize("scheme", ["javascript", "JavaScript", "data", "vbscript", "blob", "file"])
def test_the_browser_is_never_sent_to_an_address_that_runs_something(server: House, scheme: str) -> None:
    with Browser() as browser:
        asked = browser.sign_in(server, server.approvals.ask(redirect_uri=f"{scheme}:alert(1)//"))
        answer = browser.submit(asked, "/auth/consent", decision="refuse")
        assert (answer.status, answer.refresh, answer.links) == (400, None, [])


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "\r\nlocation: x"])
def test_no_parameter_leads_to_another_site(server: House, target: str) -> None:
    with Browser(follow=False) as browser:
        names = ("next", "redirect_uri", "return_to", "url", "continue", "redirect")
        query = "&".join(f"{name}={target}" for name in names).replace("\r\n", "%0d%0a")
        pending = server.approvals.ask()
        page = browser.get(f"{server.url}/auth/login?request={pending.id}&{query}")
        assert page.form("/auth/login")
        signed_in = browser.submit(page, "/auth/login", name="anna", password=PASSWORD, **dict.fromkeys(names, target))
        assert signed_in.headers["location"] == f"/auth/consent?request={pending.id}"
        token = browser.get(f"{server.url}/auth/logout").form("/auth/logout").fields
        out = browser.post(f"{server.url}/auth/logout", {**token, "request": target})
        assert out.headers["location"].startswith("/auth/login?request=")
        assert urlsplit(out.headers["location"]).netloc == ""


def test_a_host_that_somebody_else_names_is_in_no_page(server: House) -> None:
    """Nothing on a page or in a redirect is made of `Host` or `X-Forwarded-Host`."""
    pending = server.approvals.ask()
    for path in (f"/auth/consent?request={pending.id}", f"/auth/login?request={pending.id}"):
        status, answer = server.raw(path, ("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=evil.example"))
        assert (status in {200, 303}, "evil.example" in answer) == (True, False)


# Cookies and sessions


def test_a_session_that_an_attacker_has_planted_does_not_become_the_victims(server: House) -> None:
    """Session fixation, with an id that is made up and with one that is the attacker's own."""
    with Browser() as victim, Browser() as mallory:
        pending = server.approvals.ask()
        mallory.sign_in(server, pending, "mallory", MALLORY)
        for planted in ("x" * 43, mallory.cookies()["mcp-session"]):
            victim.client.cookies.clear()
            victim.client.cookies.set("mcp-session", planted, domain="127.0.0.1", path="/")
            victim.client.cookies.set("mcp-browser", "y" * 43, domain="127.0.0.1", path="/")
            page = victim.get(server.page(pending))
            if "/auth/login" not in page.forms[0].action:
                page = victim.submit(page, "/auth/logout")
            victim.submit(page, "/auth/login", name="anna", password=PASSWORD)
            mallory.client.cookies.clear()
            mallory.client.cookies.set("mcp-session", planted, domain="127.0.0.1", path="/")
            assert "Anna" not in mallory.get(server.page(pending)).text


def test_signing_in_ends_the_session_before(server: House) -> None:
    with Browser() as browser, Browser() as thief:
        pending = server.approvals.ask()
        page = browser.get(server.page(pending))
        browser.submit(page, "/auth/login", name="anna", password=PASSWORD)
        old = browser.cookies()["mcp-session"]
        browser.client.cookies.set("mcp-browser", "z" * 43, domain="127.0.0.1", path="/")
        token = asyncio.run(_token_for(server, old, pending.id))
        sent = {"request": pending.id, "csrf": token, "name": "anna", "password": PASSWORD}
        assert "Allow" in browser.post(f"{server.url}/auth/login", sent).text
        thief.client.cookies.set("mcp-session", old, domain="127.0.0.1", path="/")
        assert "Allow" not in thief.get(server.page(pending)).text


async def _token_for(server: House, session: str, pending: str) -> str:
    import hmac
    import json

    return hmac.new(session.encode(), json.dumps(("sign in", pending)).encode(), "sha256").hexdigest()


def test_what_the_store_has_opens_no_session(server: House) -> None:
    with Browser() as browser, Browser() as thief:
        pending = server.approvals.ask()
        browser.sign_in(server, pending)
        session = browser.cookies()["mcp-session"]
        [record] = asyncio.run(server.store.find("login-session"))
        assert session not in f"{record}"
        thief.client.cookies.set("mcp-session", record.key[:43], domain="127.0.0.1", path="/")
        assert "Allow" not in thief.get(server.page(pending)).text


def test_a_cookie_that_comes_twice_counts_as_none(server: House) -> None:
    """Cookie tossing: of two with one name, nobody knows which is the attacker's."""
    with Browser() as browser, Browser() as mallory:
        pending = server.approvals.ask()
        browser.sign_in(server, pending)
        mallory.sign_in(server, pending, "mallory", MALLORY)
        ours, hers = (each.cookies()["mcp-session"] for each in (browser, mallory))
        for pair in (f"mcp-session={hers}; mcp-session={ours}", f"mcp-session={ours}; mcp-session={hers}"):
            with Browser(cookie=pair) as tossed:
                assert "Allow" not in tossed.get(server.page(pending)).text


def test_over_https_only_cookies_count_that_no_other_host_can_set(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "localhost")
    trust = ssl.create_default_context(cafile=str(files[0]))
    with house(tls=files, host="localhost") as server, Browser(verify=trust) as browser:
        pending = server.approvals.ask()
        asked = browser.sign_in(server, pending)
        assert "Allow" in asked.text
        [cookie] = [each for each in browser.client.cookies.jar if each.name == "__Host-mcp-session"]
        assert (cookie.secure, cookie.path, cookie.domain_specified) == (True, "/", False)
        with Browser(verify=trust, cookie=f"mcp-session={cookie.value}") as tossed:
            assert "Allow" not in tossed.get(server.page(pending)).text


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_are_kept_from_scripts_and_from_other_sites(tmp_path: Path, secure: bool) -> None:
    files = self_signed(tmp_path, "localhost")
    trust = ssl.create_default_context(cafile=str(files[0]))
    with (
        house(tls=files if secure else None, host="localhost") as server,
        Browser(verify=trust, follow=False) as browser,
    ):
        page = browser.get(f"{server.url}/auth/login?request={server.approvals.ask().id}")
        signed_in = browser.submit(page, "/auth/login", name="anna", password=PASSWORD)
        cookies = [*page.headers.get_list("set-cookie"), *signed_in.headers.get_list("set-cookie")]
        assert len(cookies) == 3
        for cookie in cookies:
            assert cookie.startswith("__Host-") is secure
            assert ("Secure" in cookie) is secure
            assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/"))
            assert "Domain" not in cookie


@pytest.mark.parametrize("url", ["http://mcp.example.com", "http://192.168.1.5:8000", "ftp://localhost", "localhost:1"])
def test_pages_for_passwords_are_not_made_for_an_address_in_clear(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        LoginOptions(url, "Catalogue")


def test_an_icon_from_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="data:"):
        LoginOptions("https://mcp.example.com", "Catalogue", icon="https://evil.example/pixel.png")


# Guessing


def test_a_password_cannot_be_guessed_by_trying(server: House) -> None:
    with Browser() as browser:
        page = browser.get(server.page(server.approvals.ask()))
        guesses = [f"guess number {each}" for each in range(BY_BOTH[0].amount)]
        statuses = [browser.submit(page, "/auth/login", name="anna", password=each).status for each in guesses]
        assert set(statuses) == {403}
        refused = browser.submit(page, "/auth/login", name="anna", password=PASSWORD)
        assert (refused.status, "Too many tries" in refused.text) == (429, True)
        assert int(refused.headers["retry-after"]) > 0
        assert browser.submit(page, "/auth/login", name=" ANNA", password=PASSWORD).status == 429


def test_an_address_that_tries_many_names_is_stopped(server: House) -> None:
    with Browser() as browser:
        page = browser.get(server.page(server.approvals.ask()))
        statuses = [browser.submit(page, "/auth/login", name=f"user{each}", password="x").status for each in range(31)]
        assert statuses.count(429) == 1


def test_a_user_whom_many_addresses_guess_is_protected() -> None:
    with house() as server:
        pending = server.approvals.ask()
        stopped = 0
        for each in range(BY_USER[0].amount + 5):
            with Browser(x_forwarded_for=f"198.51.100.{each}") as browser:
                page = browser.get(server.page(pending))
                stopped += browser.submit(page, "/auth/login", name="anna", password="guess").status == 429
        assert stopped == 5


def test_an_address_cannot_be_made_up_by_whoever_is_no_proxy() -> None:
    with house(trusted=()) as server, Browser() as browser:
        page = browser.get(server.page(server.approvals.ask()))
        fields = page.form("/auth/login").fields
        typed = {**fields, "name": "anna", "password": "guess"}
        statuses = [
            browser.post(f"{server.url}/auth/login", typed, x_forwarded_for=f"198.51.100.{each}").status
            for each in range(BY_BOTH[0].amount + 1)
        ]
        assert statuses[-1] == 429


def test_a_code_cannot_be_guessed_by_trying(server: House) -> None:
    from mcp_server.oauth.login import totp

    secret = totp.new_secret()
    asyncio.run(quick_users(server.store).set_codes("anna", secret, []))
    wrong = str((int(totp.code_at(secret, int(time.time() // 30))) + 7) % 10**6).zfill(6)
    with Browser() as browser:
        step = browser.sign_in(server, server.approvals.ask())
        statuses = [browser.submit(step, "/auth/code", code=wrong).status for _ in range(CODES[0].amount)]
        assert set(statuses) == {403}
        assert browser.submit(step, "/auth/code", code=wrong).status == 429
        # The ticket is gone, and a new one does not help.
        assert browser.submit(step, "/auth/code", code=wrong).status == 403
        again = browser.sign_in(server, server.approvals.ask())
        assert browser.submit(again, "/auth/code", code=wrong).status == 429


def test_an_unknown_user_costs_as_much_work_as_a_known_one() -> None:
    """The work is counted, not timed: one digest is computed for either, with the same parameters."""

    class Counted(PasswordHasher):
        def __init__(self) -> None:
            super().__init__(time_cost=1, memory_cost=8, parallelism=1)
            self.seen: list[str] = []

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - its name there
            self.seen.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return super().verify(hash, password)

    async def main() -> list[list[str]]:
        hasher, store = Counted(), MemoryStore()
        await store.open()
        users = Users(store, Passwords(hasher))
        await users.add("anna", PASSWORD)
        work: list[list[str]] = []
        for name in ("anna", "nobody", None):
            hasher.seen.clear()
            assert await users.check_password(name, "wrong") is None
            work.append(list(hasher.seen))
        return work

    known, unknown, impossible = asyncio.run(main())
    assert len(known) == 1
    assert known == unknown == impossible


def test_the_log_has_neither_passwords_nor_sessions(server: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "mcp_server")
    with Browser() as browser:
        pending = server.approvals.ask()
        browser.sign_in(server, pending, password="a-secret-that-is-wrong")
        browser.sign_in(server, pending, name="typed-a-password-here", password="x")
        asked = browser.sign_in(server, pending)
        session = browser.cookies()["mcp-session"]
        browser.submit(asked, "/auth/consent", decision="allow")
        assert "local:anna has signed in" in caplog.text
        for secret in (PASSWORD, "a-secret-that-is-wrong", "typed-a-password-here", session, pending.id, "code-of"):
            assert secret not in caplog.text

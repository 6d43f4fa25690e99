"""Signing in with an account of this server, and deciding: over HTTP, as a browser does it."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from typing import Any

import pytest
from login_house import PASSWORD, Browser, House, Seen, house, quick_users

from mcp_server.oauth.login import totp
from mcp_server.oauth.login.pages import WORDS


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def with_codes(server: House) -> tuple[str, list[str]]:
    """Anna owes a code from now on."""
    secret, recovery = totp.new_secret(), totp.new_recovery_codes()
    assert asyncio.run(quick_users(server.store).set_codes("anna", secret, recovery))
    return secret, recovery


def code_now(secret: str, *, steps: int = 0) -> str:
    return totp.code_at(secret, int(time.time() // totp.STEP) + steps)


def test_whoever_signs_in_and_allows_is_sent_to_the_client_with_a_code() -> None:
    with house() as server, Browser() as browser:
        pending = server.approvals.ask()
        asked = browser.sign_in(server, pending)
        assert "Allow" in asked.text
        left = browser.submit(asked, "/auth/consent", decision="allow")
        assert left.refresh is not None
        assert left.refresh.startswith("https://claude.ai/api/mcp/auth_callback?")
        assert left.sent_to["code"] == "code-of-local:anna"
        [(allowed, person, scopes)] = server.approvals.allowed
        assert (allowed, person.subject, person.name, scopes) == (pending, "local:anna", "Anna", pending.scopes)


def test_whoever_refuses_is_sent_to_the_client_with_that() -> None:
    with house() as server, Browser() as browser:
        pending = server.approvals.ask()
        left = browser.submit(browser.sign_in(server, pending), "/auth/consent", decision="refuse")
        assert left.sent_to["error"] == "access_denied"
        assert (server.approvals.refused, server.approvals.allowed) == ([pending], [])


def test_a_program_that_knows_no_pages_gets_a_redirect() -> None:
    with house() as server, Browser(accept="*/*", follow=False) as program:
        pending = server.approvals.ask()
        signed_in = program.submit(
            program.get(f"{server.url}/auth/login?request={pending.id}"), "/auth/login", name="anna", password=PASSWORD
        )
        asked = program.get(f"{server.url}{signed_in.headers['location']}")
        left = program.submit(asked, "/auth/consent", decision="allow")
        assert left.status == 303
        assert left.headers["location"].startswith("https://claude.ai/api/mcp/auth_callback?code=")


def test_a_wrong_password_and_an_unknown_user_are_told_the_same() -> None:
    with house() as server, Browser() as browser:
        pending = server.approvals.ask()
        wrong = browser.sign_in(server, pending, password="wrong horse battery")
        unknown = browser.sign_in(server, pending, name="nobody")
        assert wrong.status == unknown.status == 403
        assert wrong.text.replace("anna", "nobody") == unknown.text
        assert PASSWORD not in wrong.text


def test_a_name_is_known_however_it_is_written() -> None:
    with house() as server, Browser() as browser:
        assert "Allow" in browser.sign_in(server, server.approvals.ask(), name=" ANNA ").text


def test_whoever_is_signed_in_is_asked_at_once() -> None:
    with house() as server, Browser() as browser:
        browser.sign_in(server, server.approvals.ask())
        second = server.approvals.ask(client_name="Cursor")
        assert "“Cursor”" in browser.get(server.page(second)).text
        assert browser.get(f"{server.url}/auth/login?request={second.id}").url == server.page(second)


def test_a_session_ends_at_its_time_however_busy() -> None:
    clock = Clock()
    with house(clock=clock, session_lifetime=3600) as server, Browser() as browser:
        pending = server.approvals.ask(expires=time.time() + 90_000)
        browser.sign_in(server, pending)
        clock.ahead = 3590
        assert "Allow" in browser.get(server.page(pending)).text
        clock.ahead = 3610
        assert "Sign in" in browser.get(server.page(pending)).text


def test_signing_out_ends_the_session_for_whoever_kept_the_cookie() -> None:
    with house() as server, Browser() as browser, Browser() as thief:
        pending = server.approvals.ask()
        browser.sign_in(server, pending)
        thief.client.cookies.update(browser.cookies())
        out = browser.submit(browser.get(f"{server.url}/auth/logout"), "/auth/logout")
        assert "You are signed out" in out.text
        assert "Allow" not in thief.get(server.page(pending)).text
        assert "You are signed out" in browser.get(f"{server.url}/auth/logout").text


def test_one_can_go_on_with_another_account() -> None:
    with house(users={"anna": PASSWORD, "bob": PASSWORD}) as server, Browser() as browser:
        pending = server.approvals.ask()
        asked = browser.sign_in(server, pending)
        again = browser.submit(asked, "/auth/logout")
        asked = browser.submit(again, "/auth/login", name="bob", password=PASSWORD)
        browser.submit(asked, "/auth/consent", decision="allow")
        assert server.approvals.allowed[0][1].subject == "local:bob"


def test_a_removed_user_is_not_signed_in_any_more() -> None:
    from mcp_server.oauth.login.sessions import forget

    with house() as server, Browser() as browser:
        pending = server.approvals.ask()
        browser.sign_in(server, pending)
        assert asyncio.run(forget(server.store, "local:anna")) == 1
        assert "Sign in" in browser.get(server.page(pending)).text


def test_a_decision_after_the_session_has_ended_asks_to_sign_in_again() -> None:
    clock = Clock()
    with house(clock=clock, session_lifetime=3600) as server, Browser() as browser:
        pending = server.approvals.ask(expires=time.time() + 90_000)
        asked = browser.sign_in(server, pending)
        clock.ahead = 3610
        late = browser.submit(asked, "/auth/consent", decision="allow")
        assert (late.status, server.approvals.allowed) == (403, [])
        assert late.links == [f"/auth/login?request={pending.id}"]


@pytest.mark.parametrize("path", ["/auth/consent", "/auth/login"])
def test_a_request_that_is_over_is_told_so(path: str) -> None:
    with house() as server, Browser() as browser:
        late = server.approvals.ask(expires=time.time() - 1)
        for identity in (late.id, "made-up", "", "x" * 5000):
            answer = browser.get(f"{server.url}{path}?request={identity}")
            assert (answer.status, "This request is over" in answer.text) == (410, True)


def test_a_request_is_decided_once() -> None:
    with house() as server, Browser() as browser:
        asked = browser.sign_in(server, server.approvals.ask())
        browser.submit(asked, "/auth/consent", decision="allow")
        again = browser.submit(asked, "/auth/consent", decision="allow")
        assert (again.status, len(server.approvals.allowed)) == (410, 1)


def test_a_store_that_does_not_answer_is_told_in_plain_words() -> None:
    with house() as server, Browser() as browser:
        pending = server.approvals.ask()
        page = browser.get(server.page(pending))
        asyncio.run(server.store.close())
        answer = browser.submit(page, "/auth/login", name="anna", password=PASSWORD)
        assert (answer.status, "Not possible at the moment" in answer.text) == (503, True)


def test_a_browser_without_cookies_is_told_so() -> None:
    with house() as server, Browser() as browser:
        page = browser.get(server.page(server.approvals.ask()))
        browser.client.cookies.clear()
        answer = browser.submit(page, "/auth/login", name="anna", password=PASSWORD)
        assert (answer.status, "Your browser has sent no cookie" in answer.text) == (400, True)


def test_a_head_request_shows_nothing_and_decides_nothing() -> None:
    with house(remember_consent=86_400) as server, Browser() as browser:
        asked = browser.sign_in(server, server.approvals.ask())
        browser.submit(asked, "/auth/consent", decision="allow", remember="yes")
        pending = server.approvals.ask()
        assert browser.client.head(server.page(pending)).status_code == 200
        assert pending.id in server.approvals.waiting


# Codes


def test_whoever_owes_a_code_gives_it_after_the_password() -> None:
    with house() as server, Browser() as browser:
        secret, _ = with_codes(server)
        step = browser.sign_in(server, server.approvals.ask())
        assert "Enter your code" in step.text
        assert not any(name.endswith("session") for name in browser.cookies())
        digits = code_now(secret)
        asked = browser.submit(step, "/auth/code", code=f"{digits[:3]} {digits[3:]}")
        assert "Allow" in asked.text


def test_a_wrong_code_can_be_corrected() -> None:
    with house() as server, Browser() as browser:
        secret, _ = with_codes(server)
        step = browser.sign_in(server, server.approvals.ask())
        wrong = browser.submit(step, "/auth/code", code=str((int(code_now(secret)) + 1) % 10**6).zfill(6))
        assert wrong.status == 403
        assert "Allow" in browser.submit(wrong, "/auth/code", code=code_now(secret)).text


def test_a_code_is_good_once() -> None:
    with house() as server, Browser() as browser, Browser() as other:
        secret, _ = with_codes(server)
        pending = server.approvals.ask()
        code = code_now(secret)
        assert "Allow" in browser.submit(browser.sign_in(server, pending), "/auth/code", code=code).text
        again = other.submit(other.sign_in(server, pending), "/auth/code", code=code)
        assert (again.status, "it has been used" in again.text) == (403, True)


def test_a_recovery_code_is_good_once_however_it_is_typed() -> None:
    with house() as server, Browser() as browser, Browser() as other:
        _, recovery = with_codes(server)
        pending = server.approvals.ask()
        typed = recovery[0].upper().replace("-", " ")
        assert "Allow" in browser.submit(browser.sign_in(server, pending), "/auth/code", code=typed).text
        step = other.sign_in(server, pending)
        assert other.submit(step, "/auth/code", code=recovery[0]).status == 403
        assert "Allow" in other.submit(step, "/auth/code", code=recovery[1]).text


def test_a_code_does_not_open_without_the_password() -> None:
    """Even with the ticket of somebody who has given it: in another browser, whose own token anybody can make."""
    with house() as server, Browser() as browser, Browser() as other:
        secret, _ = with_codes(server)
        pending = server.approvals.ask()
        ticket = browser.sign_in(server, pending).form("/auth/code").fields
        other.get(server.page(pending))
        about = json.dumps(("code", pending.id, ticket["ticket"])).encode()
        token = hmac.new(other.cookies()["mcp-browser"].encode(), about, "sha256").hexdigest()
        for csrf in (ticket["csrf"], token):
            stolen = other.post(f"{server.url}/auth/code", {**ticket, "csrf": csrf, "code": code_now(secret)})
            assert (stolen.status, "did not come from" in stolen.text) == (403, True)
        assert "Allow" not in other.get(server.page(pending)).text
        assert "Allow" in browser.post(f"{server.url}/auth/code", {**ticket, "code": code_now(secret)}).text


def test_a_new_password_ends_what_the_old_one_has_begun() -> None:
    with house() as server, Browser() as browser:
        secret, _ = with_codes(server)
        step = browser.sign_in(server, server.approvals.ask())
        asyncio.run(quick_users(server.store).set_password("anna", "another horse battery"))
        late = browser.submit(step, "/auth/code", code=code_now(secret))
        assert (late.status, "Sign in once more" in late.text) == (403, True)


def test_the_step_for_a_code_does_not_wait_for_ever() -> None:
    clock = Clock()
    with house(clock=clock) as server, Browser() as browser:
        secret, _ = with_codes(server)
        step = browser.sign_in(server, server.approvals.ask(expires=time.time() + 3600))
        clock.ahead = 301
        late = browser.submit(step, "/auth/code", code=code_now(secret, steps=10))
        assert (late.status, "Sign in once more" in late.text) == (403, True)


# Consent that is remembered


def consented(server: House, browser: Browser, **about: Any) -> Seen:
    asked = browser.get(server.page(server.approvals.ask(**about)))
    if any("login" in form.action for form in asked.forms):
        asked = browser.submit(asked, "/auth/login", name="anna", password=PASSWORD)
    return browser.submit(asked, "/auth/consent", decision="allow", remember="yes")


def asked_again(server: House, browser: Browser, **about: Any) -> bool:
    return browser.get(server.page(server.approvals.ask(**about))).refresh is None


def test_a_consent_is_remembered_if_both_want_that() -> None:
    with house(remember_consent=86_400) as server, Browser() as browser:
        consented(server, browser)
        assert not asked_again(server, browser)
        assert not asked_again(server, browser, scopes=("items:read",))


def test_a_consent_is_not_remembered_unless_the_operator_allows_it() -> None:
    with house() as server, Browser() as browser:
        assert "again" not in browser.sign_in(server, server.approvals.ask()).text
        consented(server, browser)
        assert asked_again(server, browser)


@pytest.mark.parametrize(
    "about",
    [
        {"client_id": "https://claude.ai/oauth/another.json"},
        {"redirect_uri": "https://claude.ai/api/mcp/another"},
        {"resource": "https://catalog.example.com/another"},
        {"scopes": ("items:read", "items:delete")},
    ],
)
def test_a_consent_to_one_thing_is_none_to_another(about: dict[str, Any]) -> None:
    with house(remember_consent=86_400) as server, Browser() as browser:
        consented(server, browser)
        assert asked_again(server, browser, **about)


def test_a_consent_is_that_of_one_person() -> None:
    with house(users={"anna": PASSWORD, "bob": PASSWORD}, remember_consent=86_400) as server, Browser() as browser:
        consented(server, browser)
        with Browser() as other:
            assert other.sign_in(server, server.approvals.ask(), name="bob").refresh is None


@pytest.mark.parametrize(
    "about",
    [
        {"known_by": "registration"},
        {"redirect_uri": "http://localhost:3000/callback"},
        {"redirect_uri": "http://127.0.0.1/callback"},
        {"redirect_uri": "http://[::1]:3000/callback"},
        {"redirect_uri": "cursor://anysphere.cursor-retrieval/oauth/callback"},
    ],
)
def test_a_client_that_may_be_another_next_time_is_always_asked_about(about: dict[str, Any]) -> None:
    with house(remember_consent=86_400) as server, Browser() as browser:
        consented(server, browser, **about)
        assert asked_again(server, browser, **about)


@pytest.mark.parametrize("header", [{"sec_fetch_dest": "iframe"}, {"sec_purpose": "prefetch;prerender"}])
def test_what_nobody_sees_is_not_allowed_from_memory(header: dict[str, str]) -> None:
    with house(remember_consent=86_400) as server, Browser() as browser:
        consented(server, browser)
        pending = server.approvals.ask()
        assert browser.get(server.page(pending), **header).refresh is None
        assert pending.id in server.approvals.waiting


# What the page says


def test_the_page_says_who_asks_where_it_leads_and_what_for() -> None:
    words = {"items:read": "Search the catalogue"}
    with house(scope_words=words) as server, Browser() as browser:
        text = browser.sign_in(server, server.approvals.ask(scopes=("items:read", "email", "strange"))).text
        for part in (
            "“Claude”",
            "claude.ai",
            "Search the catalogue",
            WORDS["email"],
            "strange",
            "catalog.example.com/mcp",
            "Anna",
        ):
            assert part in text


def test_the_developers_words_for_a_scope_come_first() -> None:
    described: dict[str, Any] = {
        "describe_scope": {"items:read": "Look at items"}.get,
        "scope_words": {"items:read": "Search"},
    }
    with house(**described) as server, Browser() as browser:
        text = browser.sign_in(server, server.approvals.ask(scopes=("items:read",))).text
        assert ("Look at items" in text, "Search" in text) == (True, False)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"known_by": "settings"}, "set up by the operator"),
        ({"known_by": "document"}, "published by <b>claude.ai</b>"),
        ({"known_by": "registration"}, "Not verified."),
        ({"redirect_uri": "http://localhost:3000/cb"}, "a program on this computer"),
        ({"redirect_uri": "cursor://x/cb"}, "an app on this device"),
    ],
)
def test_the_page_says_what_a_client_is_worth(about: dict[str, Any], said: str) -> None:
    with house() as server, Browser() as browser:
        assert said in browser.sign_in(server, server.approvals.ask(**about)).text


def test_a_site_that_is_verified_has_no_warning() -> None:
    with house() as server, Browser() as browser:
        assert 'class="note"' not in browser.sign_in(server, server.approvals.ask()).text

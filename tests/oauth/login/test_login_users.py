"""Signing in with an account of this server, and deciding: over HTTP, as a browser does it."""

from __future__ import annotations

from login_house import PASSWORD, Browser, house


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


def test_a_wrong_password_and_an_unknown_user_are_told_the_same() -> None:
    with house() as server, Browser() as browser:
        pending = server.approvals.ask()
        wrong = browser.sign_in(server, pending, password="wrong horse battery")
        unknown = browser.sign_in(server, pending, name="nobody")
        assert wrong.status == unknown.status == 403
        assert wrong.text.replace("anna", "nobody") == unknown.text
        assert PASSWORD not in wrong.text

"""What goes otherwise between a client and its tokens, as the person and the client see it."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Callable
from typing import Any

import pytest

from tests.oauth.login.login_chromium import Chromium
from tests.oauth.logins.hall import Hall
from tests.oauth.logins.person import Person
from tests.oauth.logins.python_client import connected, example, who


@pytest.fixture
def person(browser: Chromium) -> Person:
    return Person(browser, "bert")


def comes_in(house: Hall, patch: pytest.MonkeyPatch, act: Callable[[str], None]) -> dict[str, Any]:
    """Who calls, once a person has done this with the address that a new client has opened."""
    patch.setattr(webbrowser, "open", act)

    async def main() -> dict[str, Any]:
        async with connected(house, example.Kept()) as client:
            return await who(client)

    return asyncio.run(main())


def test_who_refuses_is_not_asked_again_and_the_client_is_told(
    house: Hall, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BaseExceptionGroup) as raised:
        comes_in(house, monkeypatch, person.refuse)
    assert raised.group_contains(example.SignInError, match="The person did not agree")
    assert person.browser.text == "You can close this page."
    assert len(person.visits) == 1


def test_who_mistypes_a_password_tries_again(house: Hall, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistypes(url: str) -> None:
        person.arrive(url)
        person.sign_in("correct horse battery stable")
        person.sees("Error: Sign in")
        assert person.browser.find("[role=alert]").text.startswith("That user name and password")
        person.sign_in()
        person.decide("Allow")

    assert comes_in(house, monkeypatch, mistypes)["subject"] == "local:bert"


def test_who_reads_for_longer_than_the_session_lasts_signs_in_once_more(
    house: Hall, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reads_on(url: str) -> None:
        person.arrive(url)
        person.sign_in()
        person.sees("Allow access?")
        house.let_sessions_expire("local:bert")
        person.browser.press("Allow")
        person.sees("Sign in once more")
        assert "nothing was done" in person.browser.text
        person.browser.press("Sign in")
        person.sign_in()
        person.decide("Allow")

    assert comes_in(house, monkeypatch, reads_on)["subject"] == "local:bert"


def test_who_is_signed_in_is_only_asked_and_may_be_somebody_else(
    house: Hall, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign-in is remembered, the consent is not: a program of today may be another tomorrow."""
    assert comes_in(house, monkeypatch, person.allow)["subject"] == "local:bert"
    assert comes_in(house, monkeypatch, person.allow)["subject"] == "local:bert"
    assert person.visits == [["Sign in", "Allow access?"], ["Allow access?"]]

    def goes_on_as_anna(url: str) -> None:
        person.arrive(url)
        person.sees("Allow access?")
        person.browser.press("Use another account")
        person.name = "anna"
        person.sign_in()
        person.decide("Allow")

    assert comes_in(house, monkeypatch, goes_on_as_anna)["subject"] == "local:anna"


def test_who_comes_back_to_a_page_that_was_decided_is_told_that_it_is_over(
    house: Hall, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []

    def keeps_the_page(url: str) -> None:
        person.arrive(url)
        person.sign_in()
        person.sees("Allow access?")
        pages.append(person.browser.url)
        person.decide("Allow")

    comes_in(house, monkeypatch, keeps_the_page)
    person.browser.open(pages[0])
    person.browser.wait_for("This request is over")

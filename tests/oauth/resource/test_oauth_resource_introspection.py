"""Tokens that say nothing: what their issuer says of them, and for how long that is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from guarded_shop import Street, street
from token_office import ASKED_BY, Office

from mcp_server.engine.calls import Principal
from mcp_server.guards.caller import caller_of
from mcp_server.oauth.access import Access, VerifierUnavailable
from mcp_server.oauth.resource.addresses import Addresses
from mcp_server.oauth.resource.chain import Chain
from mcp_server.oauth.resource.door import LONGEST_TOKEN, Challenges, Door, principal_of

T = TypeVar("T")


def visited(office: Office, visit: Callable[[Street], Awaitable[T]], **settings: Any) -> T:
    async def main() -> T:
        said: dict[str, Any] = {
            "oauth_issuers": office.url,
            "oauth_introspection_url": f"{office.url}/introspect",
            "oauth_introspection_client_id": ASKED_BY[0],
            "oauth_introspection_client_secret": ASKED_BY[1],
            **settings,
        }
        async with street(**said) as there:
            return await visit(there)

    return asyncio.run(main())


async def status(there: Street, token: str) -> int:
    return (await there.visitor(token).call("hello")).status_code


def test_the_issuer_is_asked_about_a_token_that_cannot_be_read(office: Office) -> None:
    office.opaque["opaque-1"] = office.claims()

    async def visit(there: Street) -> Any:
        return (await there.visitor("opaque-1").call("look")).json()["result"]["structuredContent"]["subject"]

    assert visited(office, visit) == "anna"
    assert office.forms == [{"token": "opaque-1", "token_type_hint": "access_token"}]


@pytest.mark.parametrize(
    "said",
    [
        {"active": False},
        {"active": "true"},
        {"active": 1},
        {"aud": "https://other.example.com"},
        {"aud": None},
        {"iss": "https://other.example.com"},
        {"exp": 1},
        {"nbf": 9_999_999_999},
        {"token_type": "mac"},
        {"sub": None, "client_id": None},
    ],
    ids=str,
)
def test_what_the_issuer_says_is_checked_like_a_token_that_speaks(office: Office, said: Any) -> None:
    office.opaque["opaque-1"] = {**office.claims(**said), **({} if "active" not in said else said)}
    assert visited(office, lambda there: status(there, "opaque-1")) == 401


def test_an_issuer_may_leave_out_what_it_vouches_for_itself(office: Office) -> None:
    office.opaque["opaque-1"] = office.claims(iss=None, exp=None)
    assert visited(office, lambda there: status(there, "opaque-1")) == 200


def test_a_token_that_is_signed_by_somebody_else_is_not_shown_to_the_issuer(office: Office) -> None:
    token = office.issue(iss="https://bank.example.com")
    assert visited(office, lambda there: status(there, token)) == 401
    assert office.forms == []


def test_a_yes_is_believed_for_the_stated_time_and_a_no_is_not_believed_at_all(office: Office) -> None:
    async def visit(there: Street) -> list[int]:
        before = await status(there, "opaque-1")
        office.opaque["opaque-1"] = office.claims()
        accepted = [await status(there, "opaque-1") for _ in range(5)]
        assert len(office.forms) == 2
        return [before, *accepted]

    assert visited(office, visit) == [401, *[200] * 5]


def test_with_no_time_at_all_a_revoked_token_is_refused_at_once(office: Office) -> None:
    async def visit(there: Street) -> list[int]:
        office.opaque["opaque-1"] = office.claims()
        before = await status(there, "opaque-1")
        office.opaque.clear()
        return [before, await status(there, "opaque-1")]

    assert visited(office, visit, oauth_token_cache_seconds=0) == [200, 401]


def test_many_who_come_with_one_token_are_one_question(office: Office) -> None:
    office.opaque["opaque-1"] = office.claims()

    async def visit(there: Street) -> set[int]:
        return set(await asyncio.gather(*[status(there, "opaque-1") for _ in range(30)]))

    assert visited(office, visit) == {200}
    assert len(office.forms) == 1


@pytest.mark.parametrize("fault", ["down", "secret"])
def test_an_issuer_that_does_not_answer_us_lets_nobody_in(office: Office, fault: str) -> None:
    office.opaque["opaque-1"] = office.claims()
    office.misbehaviour = fault
    wrong = {"oauth_introspection_client_secret": "another"} if fault == "secret" else {}
    assert visited(office, lambda there: status(there, "opaque-1"), **wrong) == 503


def test_questions_to_a_slow_issuer_do_not_pile_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_server.oauth.resource import introspection

    monkeypatch.setattr(introspection, "_AT_ONCE", 0)
    monkeypatch.setattr(introspection, "_QUEUEING", 0.01)
    office.opaque["opaque-1"] = office.claims()
    assert visited(office, lambda there: status(there, "opaque-1")) == 503


# What the door remembers


class Registrar:
    """Tokens of our own, as an authorization server in this process would know them."""

    def __init__(self, *known: str, expires: float | None = None) -> None:
        self.known = set(known)
        self.expires = expires
        self.asked = 0

    async def verify(self, token: str, *, anew: bool = False) -> Access | None:
        self.asked += 1
        if token == "broken":
            raise VerifierUnavailable("the store is away")
        if token not in self.known:
            return None
        return Access(f"subject of {token}", "client", frozenset({"read"}), "us", self.expires)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def door_of(registrar: Registrar, clock: Time, **options: Any) -> Door:
    challenges = Challenges(Addresses(["https://a.example"]), (), (), "words", signs_in=True)
    return Door(Chain({}, own=registrar), challenges, clock=clock, **options)


async def knock(door: Door, token: str) -> tuple[int | None, str | None]:
    """The status of the refusal, and who came in."""
    header = (b"authorization", b"Bearer " + token.encode())
    scope: dict[str, Any] = {"type": "http", "path": "/mcp", "headers": [header]}
    remembered = door.recall(caller_of(scope))
    refusal = await door.admit(token.encode(), scope)
    bearer = caller_of(scope).bearer
    assert not remembered or refusal is None
    return (None if refusal is None else refusal.status), bearer.subject if isinstance(bearer, Principal) else None


def test_a_revoked_token_is_noticed_after_the_stated_time() -> None:
    async def main() -> None:
        registrar, clock = Registrar("a"), Time()
        door = door_of(registrar, clock, remembered_for=30.0)
        assert await knock(door, "a") == (None, "subject of a")
        registrar.known.clear()
        clock.now += 29.9
        assert await knock(door, "a") == (None, "subject of a")
        clock.now += 0.2
        assert await knock(door, "a") == (401, None)

    asyncio.run(main())


def test_a_clock_that_is_set_back_makes_no_token_good_for_longer() -> None:
    async def main() -> None:
        registrar, clock = Registrar("a"), Time()
        door = door_of(registrar, clock, remembered_for=30.0)
        await knock(door, "a")
        registrar.known.clear()
        clock.now -= 900
        assert await knock(door, "a") == (401, None)

    asyncio.run(main())


def test_the_stated_time_begins_before_the_token_is_asked_about() -> None:
    async def main() -> None:
        clock = Time()

        class Slow(Registrar):
            async def verify(self, token: str, *, anew: bool = False) -> Access | None:
                found = await super().verify(token, anew=anew)
                clock.now += 20
                return found

        registrar = Slow("a")
        door = door_of(registrar, clock, remembered_for=30.0)
        await knock(door, "a")
        registrar.known.clear()
        clock.now += 10
        assert await knock(door, "a") == (401, None)

    asyncio.run(main())


class Ledger(Registrar):
    """Tokens of our own, by who remembers what it finds and hears of revocations."""

    async def verify(self, token: str, *, anew: bool = False) -> Access | None:
        found = await super().verify(token, anew=anew)
        return None if found is None else replace(found, remembered=True)


def test_a_revoked_token_counts_no_more_as_one_that_was_valid_a_moment_ago() -> None:
    async def main() -> None:
        registrar = Ledger("a")
        door = door_of(registrar, Time())
        request: dict[str, Any] = {"path": "/mcp", "headers": [(b"authorization", b"Bearer a")]}
        await knock(door, "a")
        assert door.recall(caller_of({**request}))
        registrar.known.clear()
        assert await door.admit(b"a", {**request}) is not None
        assert not door.recall(caller_of({**request}))

    asyncio.run(main())


def test_nobody_gets_an_answer_that_was_under_way_before_a_revocation() -> None:
    async def main() -> None:
        found, go_on = asyncio.Event(), asyncio.Event()

        class Slow(Ledger):
            async def verify(self, token: str, *, anew: bool = False) -> Access | None:
                access = await super().verify(token, anew=anew)
                if access is not None:
                    found.set()
                    await go_on.wait()
                return access

        registrar = Slow("a")
        door = door_of(registrar, Time())
        early = asyncio.create_task(knock(door, "a"))
        await found.wait()
        registrar.known.clear()
        assert await knock(door, "a") == (401, None)
        go_on.set()
        assert await early == (None, "subject of a")

    asyncio.run(main())


def test_what_does_not_come_again_is_forgotten() -> None:
    async def main() -> None:
        clock = Time()
        door = door_of(Ledger("a", "b", "c"), clock, remembered_for=30.0)
        await knock(door, "a")
        clock.now += 10
        await knock(door, "b")
        clock.now += 10
        await knock(door, "a")  # is new again, and stands behind the other
        clock.now += 20
        await knock(door, "c")
        assert len(vars(door)["_remembered"]) == 2

    asyncio.run(main())


def test_nothing_is_remembered_longer_than_the_token_lasts() -> None:
    async def main() -> None:
        registrar, clock = Registrar("a", expires=1010.0), Time()
        door = door_of(registrar, clock, remembered_for=3600.0)
        await knock(door, "a")
        clock.now = 1010.0 + 31
        await knock(door, "a")
        assert registrar.asked == 2

    asyncio.run(main())


def test_one_token_never_answers_for_another() -> None:
    async def main() -> None:
        door = door_of(Registrar("a", "ab"), Time())
        assert await knock(door, "a") == (None, "subject of a")
        for other in ("A", "ab", "aa", "b", "a.", "a" * 64):
            expected = (None, "subject of ab") if other == "ab" else (401, None)
            assert await knock(door, other) == expected

    asyncio.run(main())


def test_what_is_remembered_has_an_end_and_holds_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_server.oauth.resource import door as module

    monkeypatch.setattr(module, "_MOST_REMEMBERED", 3)

    async def main() -> None:
        tokens = [f"token-{number}" for number in range(10)]
        registrar = Registrar(*tokens)
        door = door_of(registrar, Time())
        for token in tokens:
            await knock(door, token)
        await knock(door, tokens[-1])
        assert registrar.asked == 10
        await knock(door, tokens[0])
        assert registrar.asked == 11
        remembered = vars(door)["_remembered"]
        assert len(remembered) == 3
        assert "token-9" not in repr(remembered).replace("subject of token-9", "")

    asyncio.run(main())


def test_nobody_is_asked_about_a_token_that_is_too_long() -> None:
    async def main() -> None:
        token = "x" * (LONGEST_TOKEN + 1)
        registrar = Registrar(token, token[1:])
        door = door_of(registrar, Time())
        assert await knock(door, token) == (401, None)
        assert registrar.asked == 0
        assert (await knock(door, token[1:]))[0] is None

    asyncio.run(main())


def test_who_cannot_be_found_out_about_is_told_to_come_again() -> None:
    async def main() -> None:
        door = door_of(Registrar(), Time())
        assert await knock(door, "broken") == (503, None)

    asyncio.run(main())


def test_a_name_stands_for_one_person_at_one_program() -> None:
    people = [
        Access("anna", "claude", issuer="a"),
        Access("anna", "claude", issuer="b"),
        Access("anna", "chatgpt", issuer="a"),
        Access("bert", "claude", issuer="a"),
        Access('anna","claude', "", issuer="a"),
        Access("anna\0claude", "", issuer="a"),
    ]
    assert len({principal_of(person).name for person in people}) == len(people)
    same = Access("anna", "claude", frozenset({"more"}), "a", 5.0, {"jti": "2"})
    assert principal_of(same).name == principal_of(people[0]).name

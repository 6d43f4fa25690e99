"""The keys of an issuer: fetched when needed, kept for a while, and missed when they cannot be had."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from guarded_shop import street
from token_office import Office

from mcp_server.oauth.access import VerifierUnavailable
from mcp_server.oauth.resource.fetching import MOST_BYTES, Fetcher, FetchFailed, may_be_asked
from mcp_server.oauth.resource.keysets import FRESH, PAUSE, STALE, KeySet

T = TypeVar("T")


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def asked(office: Office, question: Callable[[KeySet, Clock], Awaitable[T]], **how: Any) -> T:
    """What comes of asking a set of keys."""

    async def main() -> T:
        fetcher, clock = Fetcher(how.pop("patience", 5.0)), Clock()
        try:
            return await question(
                KeySet(how.pop("issuer", office.url), fetcher, how.pop("url", None), clock=clock), clock
            )
        finally:
            await fetcher.close()

    return asyncio.run(main())


async def found(keys: KeySet, kid: str = "rsa") -> int | None:
    """How many keys there are under an id; None if nobody can tell."""
    try:
        return len(await keys.keys_for("RS256", kid))
    except VerifierUnavailable:
        return None


def test_keys_are_fetched_once_for_all_who_ask(office: Office) -> None:
    async def question(keys: KeySet, _: Clock) -> list[int | None]:
        return [*await asyncio.gather(*[found(keys) for _ in range(50)]), await found(keys)]

    assert asked(office, question) == [1] * 51
    assert office.asked == ["/.well-known/openid-configuration", "/jwks"]


def test_whoever_gives_up_does_not_stop_the_others(office: Office) -> None:
    async def question(keys: KeySet, _: Clock) -> int | None:
        first = asyncio.create_task(found(keys))
        second = asyncio.create_task(found(keys))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asked(office, question) == 1


def test_the_metadata_of_the_other_standard_are_found_too(office: Office) -> None:
    office.oidc = False
    assert asked(office, lambda keys, _: found(keys)) == 1


def test_the_place_of_the_keys_can_be_said(office: Office) -> None:
    assert asked(office, lambda keys, _: found(keys), url=f"{office.url}/jwks") == 1
    assert office.asked == ["/jwks"]


def test_an_issuer_with_a_path_is_looked_for_in_three_places(office: Office) -> None:
    assert asked(office, lambda keys, _: found(keys), issuer=f"{office.url}/tenant/") is None
    assert office.asked == [
        "/tenant/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example.com"},
        {"issuer": "http://127.0.0.1"},
        {"jwks_uri": "http://keys.example.com/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://["},
        {"jwks_uri": None},
    ],
    ids=str,
)
def test_metadata_that_lead_astray_are_not_followed(office: Office, metadata: Any) -> None:
    office.metadata = metadata
    assert asked(office, lambda keys, _: found(keys)) is None
    assert "/jwks" not in office.asked


@pytest.mark.parametrize("misbehaviour", ["down", "huge", "slow", "redirect"])
def test_an_issuer_that_misbehaves_cannot_be_asked(office: Office, misbehaviour: str) -> None:
    office.misbehaviour = misbehaviour
    assert asked(office, lambda keys, _: found(keys), patience=0.5 if misbehaviour == "slow" else 5.0) is None
    assert "/elsewhere" not in office.asked


@pytest.mark.parametrize("document", [b"[]", b"no", b'{"keys": NaN}', b'"x"', b"{}", b'{"keys": {}}', b"\xff", b""])
def test_what_is_no_document_is_not_taken_for_one(office: Office, document: bytes) -> None:
    office.document = document
    assert asked(office, lambda keys, _: found(keys)) is None


def test_a_set_without_keys_is_an_answer(office: Office) -> None:
    office.published = []
    assert asked(office, lambda keys, _: found(keys)) == 0


def test_more_keys_than_an_issuer_has_are_refused(office: Office) -> None:
    office.published = office.published * 20
    assert asked(office, lambda keys, _: found(keys)) is None


def test_keys_that_cannot_be_read_are_passed_over(office: Office) -> None:
    good = office.public("rsa", kid="rsa")
    broken: list[Any] = [
        "x",
        {},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "AA", "e": 5},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "oct", "alg": "none"},
        {"kty": "oct", "alg": "HS256"},
        {"kty": "RSA", "alg": "HS256", "n": "AA", "e": "AQAB"},
        {**good, "alg": 5},
        {**good, "kid": 5},
    ]
    office.published = [*broken, good]
    assert asked(office, lambda keys, _: found(keys)) == 1


def test_a_private_key_that_somebody_publishes_checks_nothing(office: Office) -> None:
    from token_office import _ALGORITHMS  # pyright: ignore[reportPrivateUsage]

    private = json.loads(_ALGORITHMS["rsa"].to_jwk(office.keys["rsa"]))
    office.published = [{**private, "kid": "rsa"}]
    assert asked(office, lambda keys, _: found(keys)) == 0


def test_a_new_key_is_fetched_when_a_token_names_it(office: Office) -> None:
    async def question(keys: KeySet, clock: Clock) -> list[int | None]:
        before = await found(keys, "next")
        office.published.append(office.public("rsa", kid="next"))
        too_soon = await found(keys, "next")
        clock.now += PAUSE
        return [before, too_soon, await found(keys, "next")]

    assert asked(office, question) == [0, 0, 1]


def test_strangers_cannot_make_us_ask_all_the_time(office: Office) -> None:
    async def question(keys: KeySet, clock: Clock) -> None:
        for number in range(500):
            assert await found(keys, f"invented-{number}") == 0
            clock.now += PAUSE / 100
        assert await found(keys) == 1

    asked(office, question)
    assert office.asked.count("/jwks") <= 6


def test_a_key_that_is_withdrawn_is_good_until_the_keys_are_no_longer_fresh(office: Office) -> None:
    async def question(keys: KeySet, clock: Clock) -> list[int | None]:
        before = await found(keys)
        office.published = [office.public("p256", kid="p256")]
        clock.now += 299
        still = await found(keys)
        clock.now += 2
        return [before, still, await found(keys)]

    assert asked(office, question) == [1, 1, 0]


@pytest.mark.parametrize(
    ("said", "fresh_for"),
    [
        ("max-age=600", 600),
        ("max-age=0", 60),
        ("no-store", 60),
        ("max-age=99999999", 86_400),
        ("public", FRESH),
        ("max-age=x", FRESH),
        ("max-age=" + "9" * 13, FRESH),
    ],
)
def test_an_issuer_says_how_long_its_keys_are_fresh_within_bounds(office: Office, said: str, fresh_for: float) -> None:
    office.cache_control = said

    async def question(keys: KeySet, clock: Clock) -> list[int]:
        counts: list[int] = []
        for step in (0.0, fresh_for - 1, 1.0):
            clock.now += step
            await found(keys)
            counts.append(office.asked.count("/jwks"))
        return counts

    assert asked(office, question) == [1, 1, 2]


def test_known_keys_are_good_for_a_while_when_the_issuer_is_down_and_not_for_ever(office: Office) -> None:
    async def question(keys: KeySet, clock: Clock) -> list[int | None]:
        seen = [await found(keys)]
        office.misbehaviour = "down"
        for step in (301.0, STALE - 2, 2.0):
            clock.now += step
            seen.append(await found(keys))
        office.misbehaviour = ""
        clock.now += PAUSE
        return [*seen, await found(keys)]

    assert asked(office, question) == [1, 1, 1, None, 1]


def test_a_key_that_is_not_known_cannot_be_judged_while_the_issuer_is_down(office: Office) -> None:
    async def question(keys: KeySet, clock: Clock) -> list[int | None]:
        seen = [await found(keys)]
        office.misbehaviour = "down"
        clock.now += PAUSE
        return [*seen, await found(keys, "next"), await found(keys, "next"), await found(keys)]

    assert asked(office, question) == [1, None, None, 1]


def test_when_nobody_can_tell_nobody_passes(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office.misbehaviour = "down"

    async def main() -> Any:
        async with street(oauth_issuers=office.url) as there:
            return await there.visitor(office.issue()).call("hello")

    answer = asyncio.run(main())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "www-authenticate" not in answer.headers
    assert office.issue() not in caplog.text


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://a.example/x", True),
        ("http://localhost:1/x", True),
        ("http://[::1]:1/x", True),
        ("http://a.example/x", False),
        ("http://localhost.evil.example/", False),
        ("ftp://localhost/x", False),
        ("https://", False),
        ("", False),
    ],
)
def test_nobody_is_asked_in_the_clear_but_this_machine(url: str, may: bool) -> None:
    assert may_be_asked(url) is may


def test_no_more_is_read_than_a_document_can_be(office: Office) -> None:
    office.misbehaviour = "huge"

    async def main() -> None:
        fetcher = Fetcher()
        with pytest.raises(FetchFailed, match="too large"):
            await fetcher.get(f"{office.url}/jwks")
        await fetcher.close()

    asyncio.run(main())
    assert MOST_BYTES < 1024 * 1024


def test_a_fetcher_works_in_one_event_loop_after_the_other(office: Office) -> None:
    fetcher = Fetcher()

    async def once() -> int:
        document = await fetcher.get(f"{office.url}/jwks")
        await fetcher.close()
        return len(document.content["keys"])

    assert [asyncio.run(once()), asyncio.run(once())] == [5, 5]


def test_nobody_listens_there(office: Office) -> None:
    async def main() -> None:
        fetcher = Fetcher()
        with pytest.raises(FetchFailed, match="ConnectError"):
            await fetcher.get("http://127.0.0.1:1/jwks")
        with pytest.raises(FetchFailed, match="https"):
            await fetcher.get("http://example.com/jwks")
        await fetcher.close()

    asyncio.run(main())

from __future__ import annotations

from typing import Any

import pytest
from asgi_driver import Answer, Seen, get, passes_lifespan
from starlette.types import ASGIApp

from mcp_server.guards.addresses import ClientAddress
from mcp_server.guards.keyring import Keyring
from mcp_server.guards.keys import KeyGuard
from mcp_server.guards.limiter import Limiter
from mcp_server.guards.limits import RateGuard, by_address, by_key
from mcp_server.guards.rates import rates_from
from mcp_server.guards.windows import MemoryWindows

KEYS = ["key-number-one-key-number-one-key-number-one", "key-number-two-key-number-two-key-number-two"]


class Clock:
    now = 6000.0

    def __call__(self) -> float:
        return self.now


def by_address_only(rates: str = "100/minute", clock: Clock | None = None, **options: Any) -> ASGIApp:
    limiter = Limiter(rates_from(rates), MemoryWindows(clock=clock or Clock()), name="address")
    return ClientAddress(RateGuard(Seen(), limiter=limiter, bucket=by_address(), **options))


def with_keys(rates: str = "5/minute") -> ASGIApp:
    """The layers as they are put together: by address, keys, by key."""
    windows, keyring = MemoryWindows(clock=Clock()), Keyring(KEYS)
    inner = RateGuard(Seen(), limiter=Limiter(rates_from(rates), windows, name="key"), bucket=by_key)
    keys = KeyGuard(inner, keyring=keyring, open_paths=["/"])
    limiter = Limiter(rates_from(rates), windows, name="address")
    return ClientAddress(RateGuard(keys, limiter=limiter, bucket=by_address(keyring), open_paths=["/health"]))


def statuses(app: ASGIApp, count: int, **scope: Any) -> list[int]:
    return [get(app, **scope).status for _ in range(count)]


def bearing(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {key}")]


def test_the_hundred_and_first_request_of_a_minute_is_refused_on_every_face() -> None:
    app = by_address_only()
    assert statuses(app, 60, path="/mcp") + statuses(app, 40, path="/mcp/sse") == [200] * 100
    assert [get(app, path=path).status for path in ("/mcp", "/mcp/sse", "/anything")] == [429] * 3


def test_a_forged_header_does_not_change_the_bucket() -> None:
    app = by_address_only("3/minute")
    answers = [get(app, headers=[("x-forwarded-for", f"198.51.100.{number}")]).status for number in range(4)]
    assert answers == [200, 200, 200, 429]


def test_another_address_has_a_bucket_of_its_own() -> None:
    app = by_address_only("1/minute")
    assert [get(app, client=(f"203.0.113.{number}", 1)).status for number in (1, 2, 1)] == [200, 200, 429]


def test_an_ipv6_network_has_one_bucket() -> None:
    app = by_address_only("1/minute")
    assert [get(app, client=(f"2001:db8::{number}", 1)).status for number in (1, 2)] == [200, 429]


def test_open_paths_are_not_counted() -> None:
    app = by_address_only("1/minute", open_paths=["/health"])
    assert statuses(app, 5, path="/health") == [200] * 5
    assert statuses(app, 2) == [200, 429]


def test_a_refusal_says_when_to_come_back_and_keeps_its_word() -> None:
    clock = Clock()
    app = by_address_only("10/minute", clock)
    statuses(app, 10)
    clock.now += 20
    refused = get(app)
    wait = refused.header("retry-after")
    assert wait == "41"
    clock.now += int(wait)
    assert statuses(app, 2) == [200, 429]


def test_a_refusal_carries_the_standard_headers() -> None:
    app = by_address_only("2/minute")
    statuses(app, 2)
    refused = get(app)
    assert refused.header("ratelimit-policy") == '"address-60s";q=2;w=60'
    assert refused.header("ratelimit") == '"address-60s";r=0;t=60'
    names = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after")
    assert [refused.header(name) for name in names] == ["2", "0", "61", "61"]


def test_an_answer_tells_where_one_stands() -> None:
    answer = get(by_address_only("100/minute; 1000/day"))
    assert answer.header("ratelimit") == '"address-60s";r=99;t=60'
    assert answer.header("ratelimit-policy") == '"address-60s";q=100;w=60, "address-86400s";q=1000;w=86400'
    assert answer.header("content-type") == "text/plain"
    assert answer.header("retry-after") is None


def test_the_body_suits_the_asker() -> None:
    app = by_address_only("1/minute")
    get(app)
    plain, rpc = get(app), get(app, headers=[("mcp-method", "tools/call")])
    assert plain.json() == {"error": "rate_limited", "detail": "Rate limit exceeded"}
    assert rpc.json() == {"jsonrpc": "2.0", "id": None, "error": {"code": 429, "message": "Rate limit exceeded"}}


def test_a_quota_ends_the_day_and_a_burst_the_moment() -> None:
    clock = Clock()
    limiter = Limiter(rates_from("100/minute", burst=20, per_day=30), MemoryWindows(clock=clock), name="address")
    app = RateGuard(Seen(), limiter=limiter, bucket=by_address())
    assert statuses(app, 25).count(200) == 20
    clock.now += 60
    assert statuses(app, 25).count(200) == 10
    assert int(get(app).header("retry-after") or 0) > 3600


def test_keys_behind_one_address_do_not_disturb_each_other() -> None:
    app = with_keys()
    assert statuses(app, 6, headers=bearing(KEYS[0])) == [200] * 5 + [429]
    assert statuses(app, 6, headers=bearing(KEYS[1])) == [200] * 5 + [429]


def test_a_key_is_one_bucket_from_wherever_it_is_used() -> None:
    app = with_keys()
    answers = [get(app, client=(f"203.0.113.{n}", 1), headers=bearing(KEYS[0])).status for n in range(6)]
    assert answers == [200] * 5 + [429]


def test_who_guesses_keys_is_counted_by_address_and_does_not_lock_out_who_has_one() -> None:
    app = with_keys()
    guesses = [get(app, headers=bearing(f"guess-{number}")).status for number in range(7)]
    assert guesses == [401] * 5 + [429] * 2
    assert get(app, headers=bearing(KEYS[0])).status == 200


def test_strangers_on_open_paths_are_counted_by_address_only() -> None:
    app = with_keys()
    answers: list[Answer] = [get(app, path="/") for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert answers[0].header("ratelimit-policy") == '"address-60s";q=5;w=60'


def test_each_answer_tells_of_the_bucket_it_was_counted_in() -> None:
    assert get(with_keys(), headers=bearing(KEYS[0])).header("ratelimit") == '"key-60s";r=4;t=60'


@pytest.mark.parametrize("client", [None, ("testclient", 1)])
def test_those_without_an_address_share_a_bucket(client: tuple[str, int] | None) -> None:
    assert statuses(by_address_only("2/minute"), 3, client=client) == [200, 200, 429]


def test_what_is_no_request_passes() -> None:
    limiter = Limiter(rates_from("1/minute"), MemoryWindows(), name="address")
    assert passes_lifespan(lambda app: RateGuard(app, limiter=limiter, bucket=by_address()))

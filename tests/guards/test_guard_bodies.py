from __future__ import annotations

import asyncio

import pytest
from asgi_driver import Answer, Seen, ask, body_of, get, http_scope, passes_lifespan
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.guards.bodies import BodyGuard
from mcp_server.guards.patience import Patience


def reader() -> Seen:
    return Seen(reads_body=True)


async def never() -> Message:
    return await asyncio.get_running_loop().create_future()


async def untouched() -> Message:
    raise AssertionError("the body was read")


def test_a_body_arrives_whole_in_one_message() -> None:
    seen = reader()
    assert get(BodyGuard(seen), body_of(b"one ", b"", b"two ", b"three")).status == 200
    assert seen.bodies == [b"one two three"]


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert get(BodyGuard(reader(), max_bytes=4), body_of(b"1234")).status == 200
    assert get(BodyGuard(reader(), max_bytes=4), body_of(b"12345")).status == 413


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8))
def test_the_limit_holds_however_a_body_is_cut(chunks: list[bytes]) -> None:
    seen = reader()
    answer = get(BodyGuard(seen, max_bytes=40), body_of(*chunks))
    whole = b"".join(chunks)
    assert (answer.status, seen.bodies) == ((200, [whole]) if len(whole) <= 40 else (413, [b"<gone>"]))


def test_a_body_announced_as_too_large_is_refused_before_it_is_read() -> None:
    seen = reader()
    answer = get(BodyGuard(seen, max_bytes=10), untouched, headers=[("content-length", "11")])
    assert answer.status == 413
    assert not seen.scopes


@pytest.mark.parametrize("length", ["10", "0", "-1", "abc", "", "1e9"])
def test_an_announcement_that_is_small_or_senseless_is_left_to_the_count(length: str) -> None:
    answer = get(BodyGuard(reader(), max_bytes=10), body_of(b"x" * 11), headers=[("content-length", length)])
    assert answer.status == 413


def test_the_rest_of_a_body_that_is_too_large_is_not_read() -> None:
    asked: list[int] = []

    async def endless() -> Message:
        asked.append(1)
        assert len(asked) < 10
        return {"type": "http.request", "body": b"x" * 30, "more_body": True}

    assert get(BodyGuard(reader(), max_bytes=100), endless).status == 413
    assert len(asked) == 4


def test_nothing_is_read_for_an_application_that_does_not_ask() -> None:
    assert get(BodyGuard(Seen()), untouched).status == 200


def test_a_body_that_does_not_come_is_refused() -> None:
    assert get(BodyGuard(reader(), timeout=0.01), never).status == 408


def test_a_body_that_trickles_has_no_more_time_than_any_other() -> None:
    async def trickle() -> Message:
        await asyncio.sleep(0.004)
        return {"type": "http.request", "body": b"x", "more_body": True}

    assert get(BodyGuard(reader(), timeout=0.05), trickle).status == 408


def test_a_client_that_goes_while_it_speaks_is_gone_for_the_application() -> None:
    seen = reader()

    async def leaves() -> Message:
        return {"type": "http.disconnect"}

    get(BodyGuard(seen), leaves)
    assert seen.bodies == [b"<gone>"]


def test_after_the_body_the_application_hears_the_client_leave() -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])
        await Seen()(scope, receive, send)

    get(BodyGuard(app), body_of(b"body"))
    assert heard == ["http.request", "http.disconnect"]


def refused_while(app: ASGIApp) -> Answer:
    return get(BodyGuard(app, max_bytes=1), body_of(b"too large"))


def test_an_application_that_trips_over_the_refusal_does_not_spoil_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionError("the client has gone")

    assert refused_while(app).status == 413


def test_an_application_that_asks_again_is_told_again() -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    assert refused_while(app).status == 413
    assert heard == ["http.disconnect", "http.disconnect"]


def test_a_mistake_of_the_application_is_no_refusal() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise LookupError

    with pytest.raises(LookupError):
        get(BodyGuard(app), body_of(b"fine"))


def test_an_answer_that_has_begun_is_cut_off_not_answered_twice() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        await send({"type": "http.response.body", "body": b"unheard"})

    assert refused_while(app) == Answer(200, [], b"")


@pytest.mark.parametrize("limits", [{"max_bytes": 0}, {"timeout": 0}, {"timeout": float("nan")}])
def test_limits_that_are_none_are_a_mistake(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        BodyGuard(Seen(), **limits)  # pyright: ignore[reportArgumentType]


def test_one_guard_serves_one_loop_after_another() -> None:
    guard = BodyGuard(reader(), timeout=0.01)
    assert [get(guard, never).status, get(guard, never).status, get(guard, body_of(b"")).status] == [408, 408, 200]


def test_those_who_wait_come_due_one_after_another() -> None:
    async def main() -> list[int]:
        guard = BodyGuard(reader(), timeout=0.03)
        first = asyncio.create_task(ask(guard, http_scope(), never))
        await asyncio.sleep(0.015)
        second = asyncio.create_task(ask(guard, http_scope(), never))
        quick = await ask(guard, http_scope(), body_of(b"here"))
        return [quick.status, (await first).status, (await second).status]

    assert asyncio.run(main()) == [200, 408, 408]


def test_a_cancellation_from_elsewhere_is_no_timeout() -> None:
    async def main() -> None:
        waiting = asyncio.ensure_future(Patience(30).wait_for(never()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_a_cancellation_that_meets_the_timeout_wins() -> None:
    async def main() -> None:
        async def stubborn() -> Message:
            try:
                return await never()
            except asyncio.CancelledError:
                waiting.cancel()
                raise

        waiting = asyncio.ensure_future(Patience(0.001).wait_for(stubborn()))
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_who_is_late_is_interrupted_once() -> None:
    async def main() -> None:
        patience = Patience(0.01)
        interruptions: list[int] = []
        done = asyncio.Event()

        async def stubborn() -> None:
            while not done.is_set():
                try:
                    await done.wait()
                except asyncio.CancelledError:
                    interruptions.append(1)

        first = asyncio.ensure_future(patience.wait_for(stubborn()))
        await asyncio.sleep(0.002)
        with pytest.raises(TimeoutError):
            await patience.wait_for(never())
        done.set()
        await first
        assert interruptions == [1]

    asyncio.run(main())


def test_what_is_no_request_passes() -> None:
    assert passes_lifespan(BodyGuard)

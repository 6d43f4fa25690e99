"""What every bus promises, asked of both; and what the one through Redis does when Redis is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_servers import RUNNING, own_redis, require_running_redis

from mcp_server.bus import Bus, open_bus
from mcp_server.bus.memory import MemoryBus, Wire
from mcp_server.bus.redis import WAITING, RedisBus

PATIENCE = 60.0
"""Seconds that anything may take on a busy machine."""


class Ear:
    """Keeps what it hears, and lets a test wait for it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.gaps = 0
        self._something = asyncio.Event()

    def heard(self, message: bytes) -> None:
        self.messages.append(message)
        self._something.set()

    def missed(self) -> None:
        self.gaps += 1
        self._something.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():
                self._something.clear()
                await self._something.wait()


class Deaf(Ear):
    """Fails at whatever it is told."""

    def heard(self, message: bytes) -> None:
        raise RuntimeError

    def missed(self) -> None:
        raise RuntimeError


@pytest.fixture(params=["memory", "redis"])
def new_bus(request: pytest.FixtureRequest) -> Callable[[], Bus]:
    """Makes buses that hear each other and nobody else."""
    if request.param == "memory":
        wire = Wire()
        return lambda: MemoryBus(wire)
    require_running_redis()
    channel = f"test-{uuid.uuid4().hex}"
    return lambda: RedisBus(RUNNING, channel=channel)


@contextlib.asynccontextmanager
async def joined(*buses: Bus) -> AsyncGenerator[None]:
    """Open buses, which hear each other from now on."""
    try:
        for bus in buses:
            await bus.open()
            if isinstance(bus, RedisBus):
                async with asyncio.timeout(PATIENCE):
                    await bus.listening.wait()
        yield
    finally:
        for bus in buses:
            await bus.close()


def test_a_message_reaches_everybody_but_its_sender(new_bus: Callable[[], Bus]) -> None:
    async def main() -> None:
        buses = [new_bus() for _ in range(3)]
        ears = [Ear() for _ in buses]
        for bus, ear in zip(buses, ears, strict=True):
            bus.listen("topic", ear)
        async with joined(*buses):
            for number in range(100):
                buses[0].publish("topic", b"%d" % number)
            buses[1].publish("topic", b"end")
            for ear in ears[1:]:
                await ear.until(lambda ear=ear: b"99" in ear.messages)
            await ears[0].until(lambda: b"end" in ears[0].messages)
            await ears[2].until(lambda: b"end" in ears[2].messages)
        in_order = [b"%d" % number for number in range(100)]
        assert ears[0].messages == [b"end"]
        assert ears[1].messages == in_order
        assert [message for message in ears[2].messages if message != b"end"] == in_order
        assert [ear.gaps for ear in ears] == [0, 0, 0]

    asyncio.run(main())


def test_a_bus_knows_how_many_others_hear_it(new_bus: Callable[[], Bus]) -> None:
    async def main() -> None:
        alone, *others = [new_bus() for _ in range(3)]
        assert await alone.others() == 0
        async with joined(alone):
            await _until_so(alone, 0)
            async with joined(*others):
                await _until_so(alone, 2)
            await _until_so(alone, 0)
        assert await alone.others() == 0

    asyncio.run(main())


async def _until_so(bus: Bus, others: int) -> None:
    """Wait until it knows so many; it counts nobody before its own connections work."""
    async with asyncio.timeout(PATIENCE):
        while await bus.others() != others:  # noqa: ASYNC110 - nobody is told when somebody else has come
            await asyncio.sleep(0.01)


def test_a_redis_that_does_not_say_who_listens_has_somebody_who_does(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        bus = RedisBus(url)
        async with joined(bus):
            await _until_so(bus, 1)

    with own_redis(tmp_path) as server:
        client: Any = redis.Redis(port=server.port)
        client.execute_command("ACL", "SETUSER", "limited", "on", ">word", "~*", "&*", "+@all", "-pubsub")
        client.close()
        asyncio.run(main(server.url.replace("redis://", "redis://limited:word@")))


def test_a_message_is_any_bytes_and_reaches_its_topic_only(new_bus: Callable[[], Bus]) -> None:
    messages = [b"", b" ", b"two words\n", bytes(range(256)), b"x" * 2_000_000]

    async def main() -> None:
        sender, receiver = new_bus(), new_bus()
        ears = {topic: Ear() for topic in ("a", "b")}
        for topic, ear in ears.items():
            receiver.listen(topic, ear)
        async with joined(sender, receiver):
            for message in messages:
                sender.publish("a", message)
            sender.publish("nobody listens", b"")
            sender.publish("b", b"last")
            await ears["b"].until(lambda: bool(ears["b"].messages))
        assert ears["a"].messages == messages
        assert ears["b"].messages == [b"last"]

    asyncio.run(main())


def test_who_has_stopped_listening_hears_no_more(new_bus: Callable[[], Bus]) -> None:
    async def main() -> None:
        sender, receiver = new_bus(), new_bus()
        stays, leaves = Ear(), Ear()
        receiver.listen("topic", stays)
        stop = receiver.listen("topic", leaves)
        async with joined(sender, receiver):
            sender.publish("topic", b"1")
            await leaves.until(lambda: leaves.messages == [b"1"])
            stop()
            stop()
            sender.publish("topic", b"2")
            await stays.until(lambda: stays.messages == [b"1", b"2"])
            assert leaves.messages == [b"1"]

    asyncio.run(main())


def test_a_listener_that_fails_harms_nobody(new_bus: Callable[[], Bus], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        sender, receiver, ear = new_bus(), new_bus(), Ear()
        receiver.listen("topic", Deaf())
        receiver.listen("topic", ear)
        async with joined(sender, receiver):
            sender.publish("topic", b"1")
            sender.publish("topic", b"2")
            await ear.until(lambda: ear.messages == [b"1", b"2"])

    asyncio.run(main())
    assert [record.message for record in caplog.records] == ["A listener of the event bus failed."] * 2


def test_a_bus_that_is_not_open_sends_nothing(new_bus: Callable[[], Bus]) -> None:
    async def main() -> None:
        sender, receiver, ear = new_bus(), new_bus(), Ear()
        receiver.listen("topic", ear)
        async with joined(receiver):
            sender.publish("topic", b"before")
            async with joined(sender):
                await sender.open()
                sender.publish("topic", b"meanwhile")
            await sender.close()
            sender.publish("topic", b"after")
            async with joined(sender):
                sender.publish("topic", b"again")
                await ear.until(lambda: b"again" in ear.messages)
        assert ear.messages == [b"meanwhile", b"again"]

    asyncio.run(main())


# -- Redis that goes away --------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon, and find out soon that nobody answers."""
    monkeypatch.setattr("mcp_server.bus.redis._LONGEST_PAUSE", 0.2)
    monkeypatch.setattr("mcp_server.bus.redis._LISTEN_FOR", 0.2)


def _warnings(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    return (record.message for record in caplog.records if record.levelno >= logging.WARNING)


@pytest.mark.usefixtures("quick")
def test_after_a_gap_everybody_is_told_and_hears_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with own_redis(tmp_path) as server:
            a, b = RedisBus(server.url), RedisBus(server.url)
            ears = [Ear(), Ear()]
            a.listen("topic", ears[0])
            b.listen("topic", ears[1])
            async with joined(a, b):
                a.publish("topic", b"1")
                await ears[1].until(lambda: ears[1].messages == [b"1"])
                await asyncio.to_thread(server.stop)
                for bus in (a, b):
                    await _until(lambda bus=bus: not bus.listening.is_set())
                for number in range(WAITING + 500):
                    a.publish("topic", b"away %d" % number)
                assert a.dropped >= 500
                await asyncio.to_thread(server.start)
                for ear in ears:
                    await ear.until(lambda ear=ear: ear.gaps > 0)
                b.publish("topic", b"2")
                await ears[0].until(lambda: b"2" in ears[0].messages)
                a.publish("topic", b"3")
                await ears[1].until(lambda: b"3" in ears[1].messages)

    asyncio.run(main())
    told = list(_warnings(caplog))
    assert sum(text.startswith("The event bus is away") for text in told) <= 4  # twice each, if Redis was slow to go
    assert sum(text.startswith("A message to other processes was dropped") for text in told) == 1
    assert any(text.startswith("The event bus is back") for text in told)


@pytest.mark.usefixtures("quick")
def test_who_dropped_messages_tells_those_who_did_not_notice(tmp_path: Path) -> None:
    """The sender alone loses its connection; to the others everything seems well."""

    async def main() -> None:
        require_running_redis()
        channel = f"test-{uuid.uuid4().hex}"
        a, b, ear = RedisBus(RUNNING, channel=channel), RedisBus(RUNNING, channel=channel), Ear()
        b.listen("topic", ear)
        async with joined(a, b):
            for number in range(WAITING + 10):
                a.publish("topic", b"%d" % number)
            assert a.dropped == 10
            await ear.until(lambda: ear.gaps == 1)
            a.publish("topic", b"after")
            await ear.until(lambda: ear.messages[-1] == b"after")
            assert ear.gaps == 1
            assert len(ear.messages) == WAITING + 1

    asyncio.run(main())


@pytest.mark.usefixtures("quick")
def test_a_redis_that_is_away_from_the_beginning_holds_nobody_up(tmp_path: Path) -> None:
    async def main() -> None:
        with own_redis(tmp_path) as server:
            server.stop()
            bus, ear = RedisBus(server.url), Ear()
            bus.listen("topic", ear)
            await bus.open()
            bus.publish("topic", b"kept until it is there")
            await _until(lambda: len(bus._away) == 2)  # pyright: ignore[reportPrivateUsage]
            await asyncio.to_thread(server.start)
            await ear.until(lambda: ear.gaps == 1)
            other = RedisBus(server.url)
            async with joined(other):
                other.publish("topic", b"1")
                await ear.until(lambda: ear.messages == [b"1"])
            await bus.close()

    asyncio.run(main())


@pytest.mark.usefixtures("quick")
def test_closing_while_redis_is_away_takes_no_time(tmp_path: Path) -> None:
    async def main() -> None:
        with own_redis(tmp_path) as server:
            bus = RedisBus(server.url)
            async with joined(bus):
                server.stop()
                await _until(lambda: not bus.listening.is_set())
                for _ in range(10):
                    bus.publish("topic", b"nobody will hear this")
                async with asyncio.timeout(PATIENCE):
                    await bus.close()
            await asyncio.to_thread(server.start)
            other, ear = RedisBus(server.url), Ear()
            other.listen("topic", ear)
            async with joined(other, bus):
                bus.publish("topic", b"this is another life")
                await ear.until(lambda: bool(ear.messages))
            assert ear.messages == [b"this is another life"]

    asyncio.run(main())


@pytest.mark.usefixtures("quick")
def test_a_silent_connection_is_asked_whether_it_still_is_one(tmp_path: Path) -> None:
    async def main() -> None:
        require_running_redis()
        name = f"test-{uuid.uuid4().hex}"
        bus, other, ear = RedisBus(RUNNING, channel=name), RedisBus(RUNNING, channel=name), Ear()
        asked = asyncio.Event()
        ask = bus._ask  # pyright: ignore[reportPrivateUsage]

        async def noticed(channel: Any) -> None:
            await ask(channel)
            asked.set()

        bus._ask = noticed  # pyright: ignore[reportPrivateUsage]
        bus.listen("topic", ear)
        async with joined(bus, other):
            async with asyncio.timeout(PATIENCE):
                await asked.wait()
            other.publish("topic", b"1")
            await ear.until(lambda: ear.messages == [b"1"])
            assert ear.gaps == 0

    asyncio.run(main())


class Silent:
    """A connection that says what it is told to say, whatever it is asked."""

    def __init__(self, *says: dict[str, Any] | None) -> None:
        self._says = iter(says)

    async def ping(self) -> None:
        return None

    async def get_message(self, timeout: float) -> dict[str, Any] | None:  # noqa: ASYNC109 - as the library has it
        return next(self._says)


def test_messages_that_come_before_the_answer_are_heard_and_silence_is_the_end() -> None:
    async def main() -> None:
        bus, ear = RedisBus(RUNNING), Ear()
        bus.listen("topic", ear)
        await bus._ask(Silent({"type": "message", "data": b"x topic 1"}, {"type": "pong", "data": b""}))  # pyright: ignore[reportPrivateUsage]
        assert ear.messages == [b"1"]
        with pytest.raises(TimeoutError):
            await bus._ask(Silent(None))  # pyright: ignore[reportPrivateUsage]

    asyncio.run(main())


def test_what_others_write_into_the_channel_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        require_running_redis()
        channel = f"test-{uuid.uuid4().hex}"
        bus, ear = RedisBus(RUNNING, channel=channel), Ear()
        bus.listen("topic", ear)
        async with joined(bus):
            client: Any = redis.Redis()
            for garbage in (b"", b"\xff\xfe", b"no-topic", b"x topic hello"):
                client.publish(channel, garbage)
            client.close()
            await ear.until(lambda: ear.messages == [b"hello"])

    asyncio.run(main())
    assert {record.message for record in caplog.records} == {
        "Something on the event bus is not a message of this server; it is ignored."
    }


async def _until(done: Callable[[], bool]) -> None:
    """Wait for what nobody reports."""
    async with asyncio.timeout(PATIENCE):
        while not done():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)


# -- URLs ------------------------------------------------------------------------------------------------------------


def test_a_url_means_a_bus() -> None:
    assert type(open_bus("memory://")) is MemoryBus
    assert type(open_bus("redis://:p%40ss@127.0.0.1:6379/0", "shop")) is RedisBus
    assert type(open_bus("rediss://127.0.0.1")) is RedisBus


@pytest.mark.parametrize("url", ["", "hunter2", "memory://hunter2", "amqp://:hunter2@host", "redis://:hunter2@host:x"])
def test_a_url_that_means_none_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="URL of the event bus must") as caught:
        open_bus(url)
    assert "hunter2" not in str(caught.value)


def test_a_missing_library_is_named_with_what_to_install() -> None:
    code = (
        "import sys\nsys.modules['redis'] = None\nfrom mcp_server.bus import open_bus\nopen_bus('memory://')\n"
        "try:\n open_bus('redis://host')\nexcept ValueError as error:\n print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "pip install 'redis>=6'" in done.stdout


def test_servers_of_other_names_do_not_hear_each_other() -> None:
    async def main() -> None:
        require_running_redis()
        name = f"test-{uuid.uuid4().hex}"
        one, same, other = open_bus(RUNNING, name), open_bus(RUNNING, name), open_bus(RUNNING, f"{name}-other")
        ears: list[Ear] = [Ear(), Ear()]
        same.listen("topic", ears[0])
        other.listen("topic", ears[1])
        async with joined(one, same, other):
            one.publish("topic", b"1")
            await ears[0].until(lambda: ears[0].messages == [b"1"])
            assert ears[1].messages == []

    asyncio.run(main())


def test_a_cancellation_that_is_lost_in_the_client_is_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with own_redis(tmp_path) as server:
            bus = RedisBus(server.url)
            await bus.open()
            await _until(bus.listening.is_set)
            publishes, deaf = asyncio.Event(), [True]

            async def publish(*_: object) -> None:
                publishes.set()
                while deaf:
                    try:
                        await asyncio.sleep(3600)
                    except asyncio.CancelledError:
                        deaf.clear()

            monkeypatch.setattr(bus._sender, "publish", publish)  # pyright: ignore[reportPrivateUsage]
            bus.publish("topic", b"1")
            await publishes.wait()
            async with asyncio.timeout(PATIENCE):
                await bus.close()

    asyncio.run(main())

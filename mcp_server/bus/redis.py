"""The bus of several processes: Redis passes messages on (`PUBLISH`) and keeps none.

All topics share one channel, so listening to another topic asks nothing of the network and cannot be too late. A
message is `<sender> <topic> <message>`: the sender is a random word by which each process leaves out its own.

Two tasks, each with a connection of its own: one sends what is in a bounded queue, one listens. Either begins again
after a failure, with growing pauses, for as long as the bus is open. While Redis is away the queue fills up, and what
does not fit is dropped. Nobody is left to believe that nothing has happened: whoever could not listen knows so itself,
and whoever dropped something says so to the others, in a message without a topic, as soon as it can.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from mcp_server.bus.bus import Listener
from mcp_server.bus.listeners import Listeners

logger = logging.getLogger("mcp_server.bus")

WAITING: Final = 1000
"""How many messages may wait to be sent."""

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_LISTEN_FOR: Final = 10.0
"""Seconds of silence after which the connection is asked whether it is still one."""
_PATIENCE: Final = 5.0
"""Seconds that Redis may take to answer."""
_FAREWELL: Final = 1.0
"""Seconds that closing may take for what has not been sent."""
_AGAIN: Final = 0.1
"""Seconds after which whatever has not heard that it should end is told again."""

_FAILURES: Final = (RedisError, OSError, TimeoutError)


class RedisBus:
    """A `Bus` through Redis.

    Args:
        url: `redis://` or `rediss://`.
        channel: Only buses of one channel hear each other.

    Raises:
        ValueError: Nothing can be done with the URL.
    """

    def __init__(self, url: str, *, channel: str = "mcp-server:news") -> None:
        self._url = url
        self._channel = channel.encode()
        self._name = secrets.token_urlsafe(9).encode()
        self._listeners = Listeners()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._tasks: list[asyncio.Task[None]] = []
        self._away: set[str] = set()
        """Which of sending and listening does not work."""
        self._sender: Any = None
        """The connection for sending, while it works."""
        self._untold = False
        """Whether the others do not know yet that we have dropped something."""
        self.dropped = 0
        """How many messages were not sent, because too many were waiting or Redis went away meanwhile."""
        self.listening = asyncio.Event()
        """Whether what others send arrives here now."""
        _client(url)  # so that a URL with which nothing can be done is refused here

    async def open(self) -> None:
        """Begin to send and to listen."""
        if not self._tasks:
            self._queue = asyncio.Queue(WAITING)
            self._tasks = [
                asyncio.create_task(self._again_and_again("sending", self._send)),
                asyncio.create_task(self._again_and_again("listening", self._listen)),
            ]

    async def close(self) -> None:
        """Send what is to be sent, if that takes but a moment, and let go of the connections."""
        tasks, self._tasks = set(self._tasks), []
        if not tasks:
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0 if self._away else _FAREWELL):
                    await self._queue.join()
        finally:
            # Again and again: a cancellation that meets the end of a request to Redis can be lost in the client.
            while tasks:
                for task in tasks:
                    task.cancel()
                _, tasks = await asyncio.wait(tasks, timeout=_AGAIN)

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message without waiting for anything."""
        if self._tasks:
            try:
                self._queue.put_nowait(b"%s %s %s" % (self._name, topic.encode(), message))
            except asyncio.QueueFull:
                self._drop()

    async def others(self) -> int:
        """How many others Redis knows to listen; somebody, if it does not say."""
        if self._sender is None:
            return 0
        try:
            ((_, listening),) = await self._sender.pubsub_numsub(self._channel)
        except _FAILURES:
            return 1
        return max(0, listening - self.listening.is_set())

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Hear what others publish about a topic."""
        return self._listeners.add(topic, listener)

    async def _send(self, client: Any, works: Callable[[], None]) -> None:
        await client.ping()
        works()
        self._sender = client
        try:
            if self._untold:
                await self._tell_of_drops(client)
            while True:
                await self._send_next(client)
        finally:
            self._sender = None

    async def _send_next(self, client: Any) -> None:
        message = await self._queue.get()
        try:
            await client.publish(self._channel, message)
            if self._untold:
                await self._tell_of_drops(client)
        except _FAILURES:
            self._drop()  # Redis may have passed it on, or not
            raise
        finally:
            self._queue.task_done()

    async def _tell_of_drops(self, client: Any) -> None:
        await client.publish(self._channel, b"%s  " % self._name)
        self._untold = False

    async def _listen(self, client: Any, works: Callable[[], None]) -> None:
        async with client.pubsub() as channel:
            await channel.subscribe(self._channel)
            try:
                while True:
                    message = await channel.get_message(timeout=_LISTEN_FOR)
                    if message is None:
                        await self._ask(channel)
                    elif message["type"] == "subscribe":
                        was_away = "listening" in self._away
                        works()
                        self.listening.set()
                        if was_away:
                            self._listeners.tell_of_gap()
                    elif message["type"] == "message":
                        self._receive(message["data"])
            finally:
                self.listening.clear()

    async def _ask(self, channel: Any) -> None:
        """Find out whether a silent connection still is one."""
        await channel.ping()
        while (answer := await channel.get_message(timeout=_PATIENCE)) is not None:
            if answer["type"] == "pong":
                return
            self._receive(answer["data"])
        msg = "Redis did not answer"
        raise TimeoutError(msg)

    def _receive(self, data: bytes) -> None:
        sender, _, rest = data.partition(b" ")
        topic, found, message = rest.partition(b" ")
        if not found:
            logger.warning("Something on the event bus is not a message of this server; it is ignored.")
        elif sender == self._name:
            return
        elif topic:
            self._listeners.tell(topic.decode(errors="replace"), message)
        else:
            self._listeners.tell_of_gap()

    async def _again_and_again(self, what: str, work: Callable[[Any, Callable[[], None]], Awaitable[None]]) -> None:
        """Do the work with a connection of its own, and with another one when it fails."""
        pause = _FIRST_PAUSE

        def works() -> None:
            nonlocal pause
            pause = _FIRST_PAUSE
            self._is_back(what)

        while self._tasks:  # the client can answer a cancellation with an error of its own
            client = _client(self._url)
            try:
                await work(client, works)
            except _FAILURES as problem:
                self._is_away(what, problem)
            finally:
                await client.aclose()
            if self._tasks:
                await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_away(self, what: str, problem: Exception) -> None:
        if not self._away:
            # The name of the error only: its text may quote the URL.
            logger.warning(
                "The event bus is away (%s): clients of other processes hear of changes once it is back. "
                "See that Redis runs and that EVENT_BUS_URL is right.",
                type(problem).__name__,
            )
        self._away.add(what)

    def _is_back(self, what: str) -> None:
        if what in self._away:
            self._away.discard(what)
            if not self._away:
                logger.warning("The event bus is back; %d messages were dropped so far.", self.dropped)

    def _drop(self) -> None:
        if not self.dropped:
            logger.warning("A message to other processes was dropped, as they cannot be reached fast enough.")
        self.dropped += 1
        self._untold = True


def _client(url: str) -> Any:
    """A connection to be; the types of the library are not those it has."""
    options = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": _PATIENCE,
        "socket_connect_timeout": _PATIENCE,
        "protocol": 2,  # in the newer one, the library takes a connection that Redis has ended for one that works
    }
    try:
        return cast("Any", Redis).from_url(url, **options)
    except (ValueError, TypeError):
        msg = "The URL of the event bus must have the form redis://:PASSWORD@host:6379/0, or rediss:// with TLS."
        raise ValueError(msg) from None

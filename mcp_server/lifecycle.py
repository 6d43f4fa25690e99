"""The beginning and the end of a server behind HTTP, whatever the host makes of them.

Some hosts run an application's lifespan once, as they should. AWS Lambda runs it around every single request, and an
application that is mounted in another may never see it. So the engine is started by whichever comes first, the
lifespan or a request, and is started once.

The end has two steps. When the process is asked to stop, the server *drains*: it says that it is not ready, and streams
that would last for ever are ended properly, while calls go on. Then the lifespan ends.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Final

from mcp_server.engine.engine import Engine

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Lifecycle:
    """Starts and stops one engine.

    Args:
        engine: What is started and stopped.
        lasting: Whether the engine goes on after the end of a lifespan, as another will come.
        drains: What else takes leave of its clients when the server is about to stop.
        closes: What else is let go when it has stopped.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lasting: bool = False,
        drains: Iterable[Callable[[], None]] = (),
        closes: Iterable[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._engine = engine
        self._lasting = lasting
        self._drains = (engine.close_feeds, *drains)
        self._closes = tuple(closes)
        self._starting = asyncio.Lock()
        self._running: _Running | None = None
        self.draining = False

    @property
    def started(self) -> bool:
        """Whether the engine answers."""
        running = self._running
        return running is not None and running.began

    async def start(self) -> None:
        """Start the engine, unless it has been started."""
        async with self._starting:
            if self._running is None or self._running.over:
                self._running = _Running(self._engine)
            await self._running.begin()

    async def stop(self) -> None:
        """Stop the engine."""
        self.drain()
        running, self._running = self._running, None
        try:
            if running is not None:
                await running.end()
        finally:
            for close in self._closes:
                await close()
        self.draining = False

    def drain(self) -> None:
        """Take leave of those who would stay for ever."""
        self.draining = True
        for drain in self._drains:
            drain()

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """The lifespan of a Starlette application."""
        await self.start()
        forget_signals = self._drain_when_asked_to_stop()
        try:
            yield
        finally:
            if not self._lasting:
                await self.stop()
            # Not before the end: whoever asks again while we are stopping does not want to wait for that either.
            forget_signals()

    def _drain_when_asked_to_stop(self) -> Callable[[], None]:
        """Hear of signals as well as whoever runs us, until the returned function is called."""
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        loop = asyncio.get_running_loop()
        before = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}

        def asked(number: int, frame: FrameType | None) -> None:
            # A second signal comes from somebody who does not want to wait.
            for each in before:
                signal.signal(each, signal.SIG_DFL)
            loop.call_soon_threadsafe(self.drain)
            before[signal.Signals(number)](number, frame)

        def forget() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        for number in before:
            signal.signal(number, asked)
        return forget


class _Running:
    """An engine from its start to its end, which are both in one task of its own.

    Whoever starts it may be a request, whose task ends long before; and a lifespan must be left where it was entered.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.began = False
        """Whether it has started, and has not ended since."""
        self._enough = asyncio.Event()
        self._ready = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def over(self) -> bool:
        """Whether it has ended: with an event loop, its tasks end too."""
        return self._task.done()

    async def begin(self) -> None:
        """Wait until it has started; raises what has kept it from that."""
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            await self._task

    async def end(self) -> None:
        """End it, and wait until it has."""
        self._enough.set()
        await self._task

    async def _run(self) -> None:
        try:
            async with self._engine.lifespan():
                self.began = True
                self._ready.set()
                await self._enough.wait()
        finally:
            self.began = False

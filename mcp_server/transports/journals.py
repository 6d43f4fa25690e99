"""What was said on event streams, kept for clients before 2026-07-28 that lose a stream and come back.

Each stream of a session has a journal. The id of an event names its stream and its place, and is worth something only
to the session that it was sent to. A client that comes back with the last id it has seen gets what it has missed and
then what is still to come.

Memory is bounded twice. A journal keeps its newest megabyte; a client that missed more has lost the oldest events and
gets the rest. All journals together keep sixteen; beyond that the oldest journal goes. A journal whose stream has ended
goes a minute later. An event is counted with what it costs to keep it, so that many small ones are bounded too.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

MAX_JOURNAL: Final = 1024 * 1024
MAX_ALL: Final = 16 * MAX_JOURNAL
KEPT_AFTER_END: Final = 60.0
_EVENT_COST: Final = 200
_JOURNAL_COST: Final = 1500
_SWEEP_EVERY: Final = 1.0


class Journal:
    """The events of one stream; `grown` is told by how much it has grown or shrunk."""

    def __init__(
        self, stream: str, session: str, *, primed: bool, clock: Callable[[], float], grown: Callable[[int], None]
    ) -> None:
        self.stream = stream
        self.session = session
        self.primed = primed
        self.size = _JOURNAL_COST
        self.ended_at: float | None = None
        self._clock = clock
        self._grown = grown
        self._events: deque[tuple[int, bytes]] = deque()
        self._count = 0
        self._more = asyncio.Event()

    def opening(self) -> bytes:
        """What the stream begins with: where to come back to, in versions that know of it."""
        return f"id: {self.stream}-0\nretry: 1000\ndata:\n\n".encode() if self.primed else b""

    def keep(self, data: bytes, *, last: bool) -> str:
        """Keep a message; returns the id of its event."""
        before = self.size
        self._count += 1
        self._events.append((self._count, data))
        self.size += len(data) + _EVENT_COST
        while self.size > MAX_JOURNAL and len(self._events) > 1:
            self.size -= len(self._events.popleft()[1]) + _EVENT_COST
        self._grown(self.size - before)
        if last:
            self.end()
        self._more.set()
        return f"{self.stream}-{self._count}"

    def end(self) -> None:
        """Nothing more will be said on this stream."""
        if self.ended_at is None:
            self.ended_at = self._clock()
            self._more.set()

    def wake(self) -> None:
        """Have readers who wait look whether they are to go on."""
        self._more.set()

    async def after(self, place: int, goes_on: Callable[[], bool] = lambda: True) -> AsyncGenerator[tuple[str, bytes]]:
        """The events behind a place, those to come included, until the stream has ended, or the reading is to."""
        while goes_on():
            missed = [(number, data) for number, data in self._events if number > place]
            for number, data in missed:
                place = number
                yield f"{self.stream}-{number}", data
            # Whoever reads may be slow, and more may have come meanwhile: only who has missed nothing may wait.
            if not missed:
                if self.ended_at is not None:
                    return
                self._more.clear()
                await self._more.wait()


class Journals:
    """The journals of all sessions in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._journals: OrderedDict[str, Journal] = OrderedDict()
        self._size = 0
        self._swept_at = float("-inf")

    def open(self, session: str, *, primed: bool) -> Journal:
        """A journal for a new stream of this session."""
        self._sweep()
        stream = secrets.token_urlsafe(12)

        def grown(amount: int) -> None:
            if stream in self._journals:
                self._size += amount
                self._make_room()

        journal = Journal(stream, session, primed=primed, clock=self._clock, grown=grown)
        self._journals[stream] = journal
        grown(journal.size)
        return journal

    def find(self, session: str, event_id: str) -> tuple[Journal, int] | None:
        """The journal that an event of this session stands in, and its place there."""
        stream, _, place = event_id.rpartition("-")
        journal = self._journals.get(stream)
        if journal is None or journal.session != session or not place.isascii() or not place.isdigit():
            return None
        return journal, int(place)

    def _sweep(self) -> None:
        """Forget what ended long ago; not at each opening, as there may be many."""
        now = self._clock()
        if now - self._swept_at < _SWEEP_EVERY:
            return
        self._swept_at = now
        for journal in list(self._journals.values()):
            if journal.ended_at is not None and journal.ended_at < now - KEPT_AFTER_END:
                self._forget(journal)

    def _make_room(self) -> None:
        while self._size > MAX_ALL and len(self._journals) > 1:
            self._forget(next(iter(self._journals.values())))

    def _forget(self, journal: Journal) -> None:
        del self._journals[journal.stream]
        self._size -= journal.size

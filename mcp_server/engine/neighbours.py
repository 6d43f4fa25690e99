"""The other processes of this server, and what they tell each other over an event bus.

A message is JSON with a version. It comes from the network, so it is checked when it arrives; what cannot be read, as
somebody else uses the bus or a neighbour is of another release, is ignored, and the log says so now and then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mcp_server.bus import Bus
from mcp_server.engine.service import Change, Kind, ListChanged, ResourceUpdated
from mcp_server.engine.subscriptions import MAX_URI, Hub

logger = logging.getLogger("mcp_server.neighbours")

_COMPLAIN_EVERY: Final = 60.0


class Message(BaseModel):
    """What one process tells the others."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    v: Literal[1] = 1


M = TypeVar("M", bound=Message)


class Neighbours:
    """Everybody else on the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Hear them and be heard; a bus that is away holds nobody up."""
        self._loop = asyncio.get_running_loop()
        await self._bus.open()
        try:
            yield
        finally:
            self._loop = None
            await self._bus.close()

    @asynccontextmanager
    async def sharing(
        self, hub: Hub, offered: Callable[[], frozenset[str]]
    ) -> AsyncGenerator[Callable[[Change], None]]:
        """Share changes for a while; gives what is to be told of each, in any thread.

        Args:
            hub: Where those who listen to this process are.
            offered: The notifications about lists that this server sends.
        """
        shared = _SharedChanges(hub, self)
        stop = self.listen(_CHANGES, _ABOUT_CHANGES, shared.heard, lambda: hub.doubt(offered()))
        try:
            async with self.lifespan():
                yield shared.publish
        finally:
            stop()

    async def count(self) -> int:
        """How many of them can be told something now, as far as can be known."""
        return await self._bus.others()

    def tell(self, topic: str, message: Message) -> None:
        """Tell all of them something, soon; may be called from any thread."""
        if self._loop is not None:
            data = message.model_dump_json(exclude_none=True).encode()
            self._loop.call_soon_threadsafe(self._bus.publish, topic, data)

    def listen(
        self, topic: str, messages: TypeAdapter[M], heard: Callable[[M], None], missed: Callable[[], None]
    ) -> Callable[[], None]:
        """Hear what they tell, until the returned function is called.

        Args:
            topic: About what.
            messages: What can be told about it.
            heard: Is called with each message, in the thread of the event loop.
            missed: Is called when there may have been messages that have not arrived.
        """
        return self._bus.listen(topic, _Ear(topic, messages, heard, missed))


class _Ear(Generic[M]):
    """Listens to one topic, and lets nothing through that is none of its messages."""

    def __init__(
        self, topic: str, messages: TypeAdapter[M], heard: Callable[[M], None], missed: Callable[[], None]
    ) -> None:
        self._topic = topic
        self._messages = messages
        self._heard = heard
        self._complained = float("-inf")
        self.missed = missed

    def heard(self, message: bytes) -> None:
        try:
            known = self._messages.validate_json(message)
        except ValidationError:
            self._complain()
        else:
            self._heard(known)

    def _complain(self) -> None:
        now = time.monotonic()
        if now >= self._complained + _COMPLAIN_EVERY:
            self._complained = now
            logger.warning("A message about %s from the event bus cannot be read, and is ignored.", self._topic)


class _ListNews(Message):
    kind: Kind


class _ResourceNews(Message):
    uri: Annotated[str, Field(max_length=MAX_URI)]


_CHANGES: Final = "changes"
_ABOUT_CHANGES: Final[TypeAdapter[_ListNews | _ResourceNews]] = TypeAdapter(_ListNews | _ResourceNews)


class _SharedChanges:
    """Takes the changes that one process notices to the listeners of all of them."""

    def __init__(self, hub: Hub, neighbours: Neighbours) -> None:
        self._hub = hub
        self._neighbours = neighbours

    def publish(self, change: Change) -> None:
        self._hub.publish(change)  # whoever has tasks tells of them itself, as it must hear of them too
        if isinstance(change, ListChanged):
            self._neighbours.tell(_CHANGES, _ListNews(kind=change.kind))
        elif (
            isinstance(change, ResourceUpdated) and len(change.uri) <= MAX_URI
        ):  # nobody can be subscribed to a longer one
            self._neighbours.tell(_CHANGES, _ResourceNews(uri=change.uri))

    def heard(self, news: _ListNews | _ResourceNews) -> None:
        self._hub.publish(ListChanged(news.kind) if isinstance(news, _ListNews) else ResourceUpdated(news.uri))

"""News of changes, on its way to those who asked for it.

The problem: a change happens at once, in any thread, while each listener takes its time to be told. The pieces: a
`Hub` takes changes from the service and passes each to every `Feed`; a feed keeps what its listener has asked for and
has not heard yet.

What a feed owes its listener: nothing that was not asked for, and nothing twice. Two changes of one list that the
listener has not heard of are one piece of news, so a feed never holds more than its filter has entries, however slow
the listener and however many the changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mcp_server.engine.service import Change, Description, Kind, ResourceUpdated, TaskChanged
from mcp_server.protocol.errors import invalid_params
from mcp_server.protocol.messages import is_list, is_object

MAX_RESOURCES: Final = 1000
"""How many resources one client may watch at once."""

MAX_URI: Final = 8192
"""How long the URI of one of them may be."""

_NOTIFICATION: Final = {
    Kind.TOOLS: "notifications/tools/list_changed",
    Kind.PROMPTS: "notifications/prompts/list_changed",
    Kind.RESOURCES: "notifications/resources/list_changed",
    Kind.TEMPLATES: "notifications/resources/list_changed",
}
_FILTER_KEY: Final = {
    "toolsListChanged": ("tools", _NOTIFICATION[Kind.TOOLS]),
    "promptsListChanged": ("prompts", _NOTIFICATION[Kind.PROMPTS]),
    "resourcesListChanged": ("resources", _NOTIFICATION[Kind.RESOURCES]),
}
_NEWSWORTHY: Final = {capability for capability, _ in _FILTER_KEY.values()}
_PROMISES: Final = {"listChanged", "subscribe"}
_UPDATED: Final = "notifications/resources/updated"
_TASK: Final = "notifications/tasks"


@dataclass(frozen=True, slots=True)
class News:
    """One notification about a change."""

    method: str
    uri: str | None = None
    task: str | None = None
    """The task that has changed; how it is now is asked when it is told."""

    @property
    def params(self) -> dict[str, Any]:
        """The notification's parameters."""
        return {} if self.uri is None else {"uri": self.uri}


@dataclass(frozen=True, slots=True)
class Interest:
    """What a listener has asked to hear."""

    methods: frozenset[str]
    resources: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()

    @classmethod
    def from_filter(cls, params: Mapping[str, Any], capabilities: Mapping[str, Any]) -> Interest:
        """The part of a `subscriptions/listen` filter that the server can honour.

        Raises:
            ProtocolError: The filter has the wrong shape, or too many resources.
        """
        wanted = params.get("notifications")
        if not is_object(wanted):
            raise invalid_params("notifications must be an object")
        methods: set[str] = set()
        for key, (capability, method) in _FILTER_KEY.items():
            flag = wanted.get(key, False)
            if not isinstance(flag, bool):
                raise invalid_params(f"notifications.{key} must be a boolean")
            if flag and capabilities.get(capability, {}).get("listChanged"):
                methods.add(method)
        uris = wanted.get("resourceSubscriptions", [])
        if not is_list(uris) or not all(isinstance(uri, str) for uri in uris):
            raise invalid_params("notifications.resourceSubscriptions must be a list of URIs")
        if any(len(uri) > MAX_URI for uri in uris):
            raise invalid_params(f"A URI may have at most {MAX_URI} characters")
        if len(uris) > MAX_RESOURCES:
            raise invalid_params(f"At most {MAX_RESOURCES} resources can be watched at once")
        honoured = uris if capabilities.get("resources", {}).get("subscribe") else []
        return cls(frozenset(methods), frozenset(honoured))

    def as_filter(self) -> dict[str, Any]:
        """The filter that says the same, for the acknowledgement."""
        honoured: dict[str, Any] = {key: True for key, (_, method) in _FILTER_KEY.items() if method in self.methods}
        if self.resources:
            honoured["resourceSubscriptions"] = sorted(self.resources)
        if self.tasks:
            honoured["taskIds"] = sorted(self.tasks)
        return honoured


def lists_offered(capabilities: Mapping[str, Any]) -> frozenset[str]:
    """The notifications about lists that the server has promised."""
    return frozenset(
        method for capability, method in _FILTER_KEY.values() if capabilities.get(capability, {}).get("listChanged")
    )


def without_news(description: Description) -> Description:
    """The description of a service whose changes nobody can be told of, as no connection lasts."""
    capabilities = dict(description.capabilities)
    for name in capabilities.keys() & _NEWSWORTHY:
        capabilities[name] = {key: value for key, value in capabilities[name].items() if key not in _PROMISES}
    return replace(description, capabilities=capabilities)


ALL_LISTS: Final = frozenset(_NOTIFICATION.values())
"""What a legacy client hears of without asking."""


def watches(resources: Iterable[str], uri: str) -> bool:
    """Whether one of these resources is the changed one, or contains it."""
    return any(uri == watched or uri.startswith(watched.rstrip("/") + "/") for watched in resources)


class Feed:
    """What one listener has not heard yet; `interest` is asked anew at each change, so it may change too.

    `may_read` says which resources the listener may hear of: it may watch a folder without being
    allowed all that is in it.
    """

    def __init__(self, interest: Callable[[], Interest], may_read: Callable[[str], bool]) -> None:
        self._interest = interest
        self._may_read = may_read
        self._ended = False
        self._unheard: dict[News, None] = {}
        # An event would take three times the memory, and there may be thousands who wait.
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, change: Change) -> None:
        """Keep this change for the listener, if it is interested."""
        interest = self._interest()
        if isinstance(change, ResourceUpdated):
            if not (watches(interest.resources, change.uri) and self._may_read(change.uri)):
                return
            news = News(_UPDATED, change.uri)
        elif isinstance(change, TaskChanged):
            if change.task_id not in interest.tasks:
                return
            news = News(_TASK, task=change.task_id)
        else:
            news = News(_NOTIFICATION[change.kind])
            if news.method not in interest.methods:
                return
        self._unheard[news] = None
        self._wake()

    def doubt(self, lists: frozenset[str]) -> None:
        """Changes may have been missed: everything that the listener asked for counts as changed, once."""
        interest = self._interest()
        self._unheard.update(dict.fromkeys(News(method) for method in sorted(interest.methods & lists)))
        self._unheard.update(dict.fromkeys(News(_UPDATED, uri) for uri in sorted(interest.resources)))
        self._unheard.update(dict.fromkeys(News(_TASK, task=task_id) for task_id in sorted(interest.tasks)))
        if self._unheard:
            self._wake()

    def end(self) -> None:
        """There will be no more news; what is there may still be heard."""
        self._ended = True
        self._wake()

    async def next(self) -> News | None:
        """The oldest news that the listener has not heard; waits until there is some. None when it has ended.

        A feed has one listener, which asks again when it has been answered: of two who wait, one would not be woken.
        """
        while not (self._unheard or self._ended):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        news = next(iter(self._unheard), None)
        if news is not None:
            del self._unheard[news]
        return news

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Hub:
    """Passes each change of the service to every feed, in the thread of the event loop."""

    def __init__(self) -> None:
        self._feeds: set[Feed] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, interest: Callable[[], Interest], may_read: Callable[[str], bool]) -> Feed:
        """A feed that hears of every change from now on, until it is closed."""
        self._loop = asyncio.get_running_loop()
        feed = Feed(interest, may_read)
        self._feeds.add(feed)
        return feed

    def close(self, feed: Feed) -> None:
        """The listener is gone."""
        self._feeds.discard(feed)

    def end(self) -> None:
        """End every feed."""
        for feed in list(self._feeds):
            feed.end()

    def doubt(self, lists: frozenset[str]) -> None:
        """Tell every feed that changes may have been missed, of resources and of these lists."""
        for feed in self._feeds:
            feed.doubt(lists)

    def publish(self, change: Change) -> None:
        """Tell every feed of a change; may be called from any thread."""
        if not self._feeds or self._loop is None:
            return
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self._offer(change)
        else:
            self._loop.call_soon_threadsafe(self._offer, change)

    def _offer(self, change: Change) -> None:
        for feed in list(self._feeds):
            feed.offer(change)

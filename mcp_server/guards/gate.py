"""What guards have in common, and how several of them share one layer.

A guard looks at the head of a request (`Guard.look`) and says nothing, or a refusal. That takes no waiting, but for a
guard that has to ask somebody else; it returns what to wait for. A guard is an ASGI layer by itself. In a `Gate`
several of them, asked in turn, are one layer, because a layer costs a call as much as the work of its guard.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias, cast

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.guards.caller import Caller, caller_of
from mcp_server.guards.passage import Limits, Passage
from mcp_server.guards.refusals import Refusal

Look: TypeAlias = "Refusal | Awaitable[Refusal | None] | None"


class Guard:
    """One guard. As a layer of its own it passes on whatever is no HTTP request."""

    limits: Limits | None = None
    """What this guard allows a body to be, if that is what it guards."""

    def __init__(self, app: ASGIApp) -> None:
        self._alone = Gate(app)
        self._alone.guarded_by([self])

    def look(self, scope: Scope, caller: Caller) -> Look:
        """Refuse a request, or let it pass."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        await self._alone(scope, receive, send)


class Gate:
    """Some guards in one layer, the outermost first; `refused` is told of everybody who was sent away.

    That is by a guard, or further in by whoever noted it in the caller's facts.
    """

    def __init__(
        self, app: ASGIApp, *, guards: Iterable[Middleware] = (), refused: Callable[[Caller], None] | None = None
    ) -> None:
        self._app = app
        self._refused = refused
        self.guarded_by([cast("Guard", each.cls(app, *each.args, **each.kwargs)) for each in guards])

    def guarded_by(self, guards: Iterable[Guard]) -> None:
        """Put these guards here."""
        guards = list(guards)
        self._looks = [guard.look for guard in guards]
        self._limits = next((guard.limits for guard in guards if guard.limits is not None), None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask each guard in turn, then pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)
        passage = Passage(scope, caller, receive, send, self._limits)
        for look in self._looks:
            refusal = look(scope, caller)
            if refusal is None:
                continue
            if not isinstance(refusal, Refusal):
                refusal = await refusal
            if refusal is not None:
                await refusal(scope, passage.send)
                break
        else:
            try:
                await self._app(scope, passage.receive, passage.send)
            except Exception:
                # An application that trips over the client it believes gone has nobody left to tell.
                if not passage.refused:
                    raise
        if self._refused is not None and caller.refused is not None:
            self._refused(caller)


def in_one_layer(layers: Iterable[Middleware], refused: Callable[[Caller], None]) -> list[Middleware]:
    """The same layers in the same order, with guards that follow each other in one."""
    found: list[Middleware] = []
    group: list[Middleware] = []
    for layer in layers:
        if isinstance(layer.cls, type) and issubclass(layer.cls, Guard):
            if not group:
                found.append(Middleware(Gate, guards=group, refused=refused))
            group.append(layer)
        else:
            found.append(layer)
            group = []
    return found

"""Questions that a call has for its user, and the rounds in which a modern client answers them.

The author of a tool writes `await ctx.elicit(...)` and gets an answer. For a client of 2026-07-28 there is no way back
within a call, so the call ends instead, with a result that says what is missing, and the client calls again with the
answers. The function then runs anew from its beginning. Each question that has been answered gets its recorded answer
at once, and the function stops at the next that has none.

So what stands before a question may run more than once. What must not (an order placed, a mail sent) goes through
`once`, whose outcome is recorded like an answer. All records travel in the sealed state; nothing is kept here, so any
process with the keys can take the next round, also after a restart.

A question is known by its key. If the code has changed between two rounds so that a key now stands for another
question, the recorded answer is not given to it: it is asked anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from pydantic_core import to_json

from mcp_server.protocol.errors import invalid_params
from mcp_server.protocol.messages import is_object

MAX_RECORDS: Final = 100
"""How many answers and outcomes one call may collect."""


class Questions:
    """What one call has asked, learned and done so far."""

    def __init__(self, state: Mapping[str, Any] | None = None, responses: object = None) -> None:
        """The state and the responses of a call that is made again.

        Raises:
            ProtocolError: The responses have the wrong shape.
        """
        self._records: dict[str, Any] = dict(state["records"]) if state else {}
        self._asked: Mapping[str, str] = state["asked"] if state else {}
        self._responses = responses_of(responses)
        self._open: dict[str, dict[str, Any]] = {}
        self._waiting: list[asyncio.Future[Any]] = []
        self._keys: set[str] = set()
        self._count = 0
        self.broken = False
        """Whether the function asks in a way that no round could answer, so that it is better not to ask."""

    def next_key(self) -> str:
        """A key for a question that its author has given none."""
        self._count += 1
        return f"question-{self._count}"

    def recorded(self, key: str, request: Mapping[str, Any]) -> Any:
        """The answer to a question, given with this call or recorded in an earlier round, or None.

        A client that has not been asked may answer all the same, if it knows the question by its key. What it has been
        asked must be what is asked now.

        Raises:
            ValueError: Another question has the same key.
        """
        fingerprint = _fingerprint(request)
        if key in self._keys:
            self.broken = True
            raise ValueError(f"two questions have the key {key!r}: give each its own")
        self._keys.add(key)
        response = self._responses.pop(key, None)
        if response is not None and self._asked.get(key, fingerprint) == fingerprint:
            self._record(key, fingerprint, response)
        record = self._records.get(key)
        return record["is"] if record is not None and record["of"] == fingerprint else None

    def forget(self, key: str) -> None:
        """The answer will not do; the question is open again."""
        self._records.pop(key, None)

    async def wait_for(self, key: str, request: dict[str, Any], asked: Callable[[], None]) -> Any:
        """Leave a question open. The call ends before this returns, so it never does."""
        self._open[key] = request
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        asked()
        return await future

    async def stop_here(self) -> None:
        """Let the function go no further, as its call has been answered. It is cancelled before this returns."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(cast("asyncio.Future[Any]", future))
        await future

    def outcome(self, key: str) -> tuple[bool, Any]:
        """Whether a piece of work has been done in an earlier round, and what came of it."""
        record = self._records.get(_WORK + key)
        return (False, None) if record is None else (True, record["is"])

    def record_outcome(self, key: str, value: Any) -> None:
        """Remember what came of a piece of work."""
        self._record(_WORK + key, "", value)

    @property
    def open_count(self) -> int:
        """How many questions are open."""
        return len(self._open)

    def requests(self) -> dict[str, dict[str, Any]]:
        """The open questions, as `inputRequests`."""
        return dict(self._open)

    def state(self) -> dict[str, Any]:
        """What has to come back in the next round."""
        return {"records": self._records, "asked": {key: _fingerprint(each) for key, each in self._open.items()}}

    def abandon(self) -> None:
        """The call has ended; nobody waits for an answer any more."""
        for future in self._waiting:
            future.cancel()

    def _record(self, key: str, fingerprint: str, value: Any) -> None:
        if len(self._records) >= MAX_RECORDS:
            raise ValueError(f"a call may collect at most {MAX_RECORDS} answers and outcomes")
        self._records[key] = {"of": fingerprint, "is": value}


_WORK: Final = "once/"


def responses_of(responses: object) -> dict[str, dict[str, Any]]:
    """The responses of a client; those to questions that are never asked are looked at no further.

    Raises:
        ProtocolError: They have the wrong shape.
    """
    if responses is None:
        return {}
    if not is_object(responses):
        raise invalid_params("inputResponses must be an object")
    if not all(is_object(response) for response in responses.values()):
        raise invalid_params("Each of inputResponses must be an object")
    return dict(responses)


def _fingerprint(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(request)).hexdigest()[:16]

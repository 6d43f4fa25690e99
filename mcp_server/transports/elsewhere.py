"""What a client of an older version says to one process of a server, and another one must know.

Such a client has a session, and a balancer may take each of its requests to another process. What it said in its
handshake is in its session id. What it says later is passed on over the bus: the log level, the resources that it
watches, the end of the session, the cancellation of a call, and its answers to questions of ours.

A process that sees a session for the first time asks the others what they know of it, and so does one that may have
missed something. Nothing waits for that: in the first moments, a process may know less than another. Only the end of
a session is waited for, a moment, until the other processes have said that they know: who ends a session may try at
once whether it has ended, and no answer may then say otherwise.

A session id is as good as a password for whoever has it, so on the bus a session goes by the digest of its id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, model_validator

from mcp_server.engine.asked import Asked
from mcp_server.engine.neighbours import Message, Neighbours
from mcp_server.engine.subscriptions import MAX_URI
from mcp_server.protocol.messages import LOG_LEVELS, RequestId, Response
from mcp_server.transports.session_ids import SessionIds, digest_of

_SESSIONS: Final = "sessions"
_ANSWERS: Final = "answers"
_PATIENCE: Final = 0.5
"""Seconds that the end of a session may wait for the other processes; one of them may have stalled."""


class SessionNews(Message):
    """What has happened to a session, or that somebody wants to know."""

    session: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    what: Literal["level", "subscribed", "unsubscribed", "cancelled", "ended", "gone", "wanted"]
    value: str | int | None = None  # which a request's id can be

    @model_validator(mode="after")
    def _value_fits(self) -> SessionNews:
        match self.what:
            case "level":
                fits = self.value in LOG_LEVELS
            case "subscribed" | "unsubscribed":
                fits = isinstance(self.value, str) and len(self.value) <= MAX_URI
            case "cancelled":
                fits = self.value is not None
            case _:
                fits = self.value is None
        if not fits:
            msg = "the value does not fit"
            raise ValueError(msg)
        return self


class AnswerNews(Message):
    """A client's answer to a question that another process has asked."""

    id: str | int
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class Elsewhere:
    """The two directions: what clients say here is passed on, and what they said elsewhere takes effect here.

    Args:
        neighbours: The other processes.
        sessions: The sessions that this process knows.
        asked: The questions that it has asked.
        ended: What to do when a session has ended.
        cancelled: What to do when a call of a session has been cancelled.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        sessions: SessionIds,
        asked: Asked,
        *,
        ended: Callable[[str], None],
        cancelled: Callable[[str, RequestId], object],
    ) -> None:
        self._neighbours = neighbours
        self._sessions = sessions
        self._asked = asked
        self._ended = ended
        self._cancelled = cancelled
        self._ending: dict[str, asyncio.Semaphore] = {}
        """Sessions that end, and how many processes have said that they know it."""
        sessions.report_to(self._session_told)
        asked.pass_on = self._pass_on
        neighbours.listen(_SESSIONS, TypeAdapter(SessionNews), self._session_heard, sessions.doubt)
        neighbours.listen(_ANSWERS, TypeAdapter(AnswerNews), self._answer_heard, _nothing)

    def cancel(self, session_id: str, request_id: RequestId) -> None:
        """Pass on the cancellation of a call that does not run here."""
        self._session_told(digest_of(session_id), "cancelled", request_id)

    async def end_is_known(self, session_id: str) -> None:
        """Wait until the other processes know that this session has ended; not at all, if there are none."""
        digest = digest_of(session_id)
        known = self._ending[digest] = asyncio.Semaphore(0)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    for _ in range(await self._neighbours.count()):
                        await known.acquire()
        finally:
            self._ending.pop(digest, None)

    def _session_told(self, digest: str, what: Any, value: str | int | None) -> None:
        self._neighbours.tell(_SESSIONS, SessionNews(session=digest, what=what, value=value))

    def _session_heard(self, news: SessionNews) -> None:
        if news.what == "ended":
            session_id = self._sessions.end_by_digest(news.session)
            if session_id is not None:
                self._ended(session_id)
            self._session_told(news.session, "gone", None)
            return
        if news.what == "gone":
            if (known := self._ending.get(news.session)) is not None:
                known.release()
            return
        if news.what == "wanted":
            self._sessions.repeat(news.session)
            return
        found = self._sessions.find(news.session)
        if found is None:
            return
        session_id, session = found
        if news.what == "cancelled" and news.value is not None:
            self._cancelled(session_id, news.value)
        else:
            session.hear(news.what, str(news.value))

    def _pass_on(self, response: Response) -> None:
        if response.id is not None:
            news = AnswerNews(id=response.id, result=response.result, error=response.error)
            self._neighbours.tell(_ANSWERS, news)

    def _answer_heard(self, news: AnswerNews) -> None:
        self._asked.answer_here(Response(news.id, news.result, news.error))


def _nothing() -> None:
    """An answer that was lost is as one that the client never gave."""

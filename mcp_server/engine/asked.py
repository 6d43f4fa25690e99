"""Requests of ours that a client before 2026-07-28 has not answered yet."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mcp_server.engine.asking import Unanswered
from mcp_server.protocol.errors import shorten
from mcp_server.protocol.messages import Peer, RequestId, Response
from mcp_server.protocol.rendering import question_bytes


@dataclass(frozen=True, slots=True)
class Question:
    """One request of ours: what to send, and what will come back."""

    message: bytes
    answer: asyncio.Future[Mapping[str, Any]]


class Asked:
    """The open requests of one client; their ids cannot be guessed by another."""

    def __init__(self) -> None:
        self._open: dict[RequestId, asyncio.Future[Mapping[str, Any]]] = {}
        self.pass_on: Callable[[Response], None] | None = None
        """What to do with an answer to a question that somebody else may have asked."""

    @contextmanager
    def open(self, peer: Peer, method: str, params: Mapping[str, Any]) -> Generator[Question]:
        """A question that is open for as long as the context lasts."""
        request_id = secrets.token_urlsafe(12)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[request_id] = answer
        try:
            yield Question(question_bytes(peer, request_id, method, params), answer)
        finally:
            del self._open[request_id]
            answer.cancel()

    def answer(self, response: Response) -> None:
        """Give an answer to whoever waits for it, here or elsewhere; nobody does, if it comes too late."""
        if not self.answer_here(response) and self.pass_on is not None:
            self.pass_on(response)

    def answer_here(self, response: Response) -> bool:
        """Give an answer to whoever waits for it here; False if nobody does."""
        waiting = None if response.id is None else self._open.get(response.id)
        if waiting is None or waiting.done():
            return False
        if response.result is not None:
            waiting.set_result(response.result)
        else:
            text = (response.error or {}).get("message")
            said = shorten(text) if isinstance(text, str) else "no reason given"
            waiting.set_exception(Unanswered(f"The client did not answer: {said}"))
        return True

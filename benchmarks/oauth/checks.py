"""Token checks: what it costs to know whose a token is, in a call and alone.

Tokens are drawn from all that there are, some of which were revoked, and some of which nobody has issued. Each answer
is held against what is known of its token.
"""

from __future__ import annotations

import gc
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from benchmarks.load import WrongAnswer
from benchmarks.oauth.callers import Login, call_with, put
from benchmarks.oauth.clock import cpu
from benchmarks.oauth.house import KEY
from benchmarks.oauth.spread import Spread
from mcp_server.engine.scopes import Hierarchy
from mcp_server.guards.caller import caller_of
from mcp_server.guards.windows import MemoryWindows
from mcp_server.oauth.assembly import oauth_from
from mcp_server.settings import Settings

REVOKED: Final = 0.02
UNKNOWN: Final = 0.02
_WARM_UP: Final = 200


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and whom it should name; nobody if it is not good."""

    text: str
    subject: str | None = None
    client: str | None = None


class Tokens:
    """All tokens, to draw from."""

    def __init__(self, good: Sequence[Token], revoked: Sequence[Token]) -> None:
        self._good = good
        self._revoked = revoked
        self._choice = random.Random(2)

    @classmethod
    async def of(cls, logins: Sequence[Login]) -> Tokens:
        """The tokens of logins, of which a few are revoked here, by the clients that have them."""
        few = max(1, int(len(logins) * REVOKED))
        for each in logins[:few]:
            await each.program.revoke(each.refresh)
        good = [
            Token(text, f"local:{each.person.name}", each.program.id) for each in logins[few:] for text in each.access
        ]
        found = cls(good, [Token(text) for each in logins[:few] for text in each.access])
        # What is ours is no garbage of the server's, whose collector would look through it again and again.
        gc.collect()
        gc.freeze()
        return found

    def draw(self) -> Token:
        """Any of them."""
        kind = self._choice.random()
        if kind < UNKNOWN:
            return Token(secrets.token_hex(64))
        return self._choice.choice(self._revoked if kind < UNKNOWN + REVOKED else self._good)


async def in_calls(app: ASGIApp, tokens: Tokens, count: int) -> Spread:
    """The CPU of a whole `tools/call` with a token."""
    taken: list[int] = []
    for _ in range(count + _WARM_UP):
        token = tokens.draw()
        reply = await put(app, call_with(token.text))
        if token.subject is None:
            reply.expect(401)
        else:
            said = reply.expect(200).json["result"]["structuredContent"]
            if said != {"subject": token.subject, "client": token.client}:
                raise WrongAnswer(f"{said} and not {token.subject}")
        taken.append(reply.cpu)
    return Spread.of(taken[_WARM_UP:])


async def with_a_key(app: ASGIApp, count: int) -> Spread:
    """The CPU of the same call with the key of the operator, to compare."""
    replies = [(await put(app, call_with(KEY))).expect(200) for _ in range(count + _WARM_UP)]
    return Spread.of([reply.cpu for reply in replies[_WARM_UP:]])


async def alone(settings: Settings, tokens: Tokens, count: int) -> Spread:
    """The CPU of the check by itself, as the guards make it: for the limits first, then to let its bearer in."""
    oauth = oauth_from(settings, name="benchmark", hierarchy=Hierarchy(), windows=MemoryWindows())
    taken: list[int] = []
    try:
        for _ in range(count + _WARM_UP):
            token = tokens.draw()
            scope = call_with(token.text).scope
            began = cpu()
            caller = caller_of(scope)
            oauth.door.recall(caller)
            refusal = await oauth.door.admit(token.text.encode(), scope)
            taken.append(cpu() - began)
            if (refusal is None) != (token.subject is not None):
                raise WrongAnswer("a token was taken for what it is not")
    finally:
        for close in oauth.closes:
            await close()
    return Spread.of(taken[_WARM_UP:])

"""Bearer keys: who may speak at all.

With keys (or `tokens`), every path that is not open needs a valid one. Missing and wrong get the same words;
only the challenge header tells a client which it was, as RFC 6750 wants.

Without any, there are three answers, and none of them is "everybody":

- production does not start;
- `unkeyed="loopback"`: this machine only. The server cannot see which interface it was bound to, so each request is
  looked at (`keyring.is_local`); others get 401 and are told what to set;
- `unkeyed="open"`: everybody, for development.

What is doubtful about that is said by the settings, which know it too, so that the log has it once.

`tokens` knows what is no key of ours but may be somebody's token; both may be on at once, and a key is tried first. If
it cannot be found out whether a token is valid, the request fails: no answer is not a yes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from starlette.types import ASGIApp, Scope

from mcp_server.guards.caller import Caller
from mcp_server.guards.gate import Guard, Look
from mcp_server.guards.keyring import Keyring, bearer_token, is_local
from mcp_server.guards.paths import Paths
from mcp_server.guards.refusals import Refusal, unauthorized

_NO_KEYS = "No key is configured: requests are answered on this machine only. Set MCP_API_KEY to serve others."


class Tokens(Protocol):
    """What knows the tokens that are no keys of ours."""

    def recall(self, caller: Caller) -> bool:
        """Whether this token was found valid a moment ago; its bearer is then noted, unless they must be asked for."""
        ...

    async def admit(self, token: bytes, scope: Scope) -> Refusal | None:
        """Let the bearer of a token in, and note them in the caller's facts, or say how to refuse them."""
        ...

    def missing(self, scope: Scope) -> Refusal:
        """How to refuse whoever sends no token at all."""
        ...

    def unreadable(self, scope: Scope) -> Refusal:
        """How to refuse whoever sends something else."""
        ...


class KeyGuard(Guard):
    """Refuses with 401 whoever has no valid key or token; notes whose it is in the caller's facts.

    Raises:
        ValueError: in production, when there is no key, or a key that is a placeholder or too short.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keyring: Keyring,
        production: bool = False,
        unkeyed: Literal["loopback", "open"] = "loopback",
        open_paths: Iterable[str] = (),
        challenge: str = "",
        tokens: Tokens | None = None,
    ) -> None:
        super().__init__(app)
        self._keyring = keyring
        self._tokens = tokens
        self._open_paths = Paths(open_paths)
        self._missing = unauthorized(challenge=challenge)
        self._invalid = unauthorized(error="invalid_token", challenge=challenge)
        self._not_local = unauthorized(challenge=challenge, detail=_NO_KEYS)
        self._keyed = bool(keyring) or tokens is not None
        self._open = not self._keyed and unkeyed == "open"
        self._inspect(keyring, production=production)

    def look(self, scope: Scope, caller: Caller) -> Look:
        """Refuse whoever may not speak."""
        sent = caller.headers.get(b"authorization")
        # A bearer who is remembered sent no key: it was looked for when the token was first seen.
        if self._keyed and sent is not None and caller.bearer is None:
            caller.key = self._keyring.holder(sent)
            if caller.key is not None:
                return None
        if self._open or scope["method"] == "OPTIONS" or self._open_paths.match(scope):
            return None
        if self._tokens is not None:
            return self._without_key(self._tokens, sent, scope, caller)
        if not self._keyed:
            return None if is_local(scope) else self._not_local
        return self._missing if sent is None else self._invalid

    def _without_key(self, tokens: Tokens, sent: bytes | None, scope: Scope, caller: Caller) -> Look:
        if sent is None:
            return tokens.missing(scope)
        token = bearer_token(sent)
        return tokens.unreadable(scope) if token is None else self._ask(tokens, token, scope, caller)

    async def _ask(self, tokens: Tokens, token: bytes, scope: Scope, caller: Caller) -> Refusal | None:
        refusal = await tokens.admit(token, scope)
        if refusal is None and caller.bearer is not None:
            caller.key = caller.bearer.name
        return refusal

    def _inspect(self, keyring: Keyring, *, production: bool) -> None:
        problems = keyring.weaknesses
        if not self._keyed:
            problems = ("no key is configured",)
        if production and problems:
            msg = f"MCP_API_KEY: {'; '.join(problems)}. In production, set long random keys."
            raise ValueError(msg)

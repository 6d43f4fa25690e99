"""Bearer keys: who may speak at all.

With keys (or a `verify` hook), every path that is not open needs a valid one. Missing and wrong get the same words;
only the challenge header tells a client which it was, as RFC 6750 wants.

Without any, there are three answers, and none of them is "everybody":

- production does not start;
- `unkeyed="loopback"`: this machine only. The server cannot see which interface it was bound to, so each request is
  looked at (`keyring.is_local`); others get 401 and are told what to set;
- `unkeyed="open"`: everybody, for development, said loudly once.

`verify` serves an authorization server: it gets a token that is no key of ours and gives the name of its owner, or
None. If it raises, the request fails: no answer is not a yes.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from starlette.types import ASGIApp, Scope

from mcp_server.guards.caller import Caller
from mcp_server.guards.gate import Guard, Look
from mcp_server.guards.keyring import Keyring, bearer_token, is_local
from mcp_server.guards.paths import Paths
from mcp_server.guards.refusals import Refusal, unauthorized

_log = logging.getLogger(__name__)

Verify = Callable[[str, Scope], Awaitable[str | None]]

_NO_KEYS = "No key is configured: requests are answered on this machine only. Set MCP_API_KEY to serve others."


class KeyGuard(Guard):
    """Refuses with 401 whoever has no valid key; notes the key's fingerprint in the caller's facts.

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
        verify: Verify | None = None,
    ) -> None:
        super().__init__(app)
        self._keyring = keyring
        self._verify = verify
        self._open_paths = Paths(open_paths)
        self._missing = unauthorized(challenge=challenge)
        self._invalid = unauthorized(error="invalid_token", challenge=challenge)
        self._not_local = unauthorized(challenge=challenge, detail=_NO_KEYS)
        self._keyed = bool(keyring) or verify is not None
        self._open = not self._keyed and unkeyed == "open"
        self._inspect(keyring, production=production)

    def look(self, scope: Scope, caller: Caller) -> Look:
        """Refuse whoever may not speak."""
        sent = caller.headers.get(b"authorization")
        if self._keyed and sent is not None:
            caller.key = self._keyring.holder(sent)
            if caller.key is not None:
                return None
            if self._verify is not None:
                return self._ask(sent, scope, caller)
        return self._stranger(sent, scope)

    async def _ask(self, sent: bytes, scope: Scope, caller: Caller) -> Refusal | None:
        caller.key = await self._owner(sent, scope)
        return None if caller.key is not None else self._stranger(sent, scope)

    def _stranger(self, sent: bytes | None, scope: Scope) -> Refusal | None:
        """The refusal of somebody without a key that we know, unless nothing is refused here."""
        if self._open or scope["method"] == "OPTIONS" or self._open_paths.match(scope):
            return None
        if not self._keyed:
            return None if is_local(scope) else self._not_local
        return self._missing if sent is None else self._invalid

    async def _owner(self, sent: bytes, scope: Scope) -> str | None:
        token = bearer_token(sent)
        if token is None or self._verify is None:
            return None
        return await self._verify(token.decode("ascii"), scope)

    def _inspect(self, keyring: Keyring, *, production: bool) -> None:
        problems = keyring.weaknesses
        if not self._keyed:
            problems = ("no key is configured",)
        if production and problems:
            msg = f"MCP_API_KEY: {'; '.join(problems)}. In production, set long random keys."
            raise ValueError(msg)
        if self._open:
            _log.warning("No key is configured: everybody who reaches this server may use it. For development only.")
        elif not self._keyed:
            _log.warning(_NO_KEYS)
        for weakness in keyring.weaknesses:
            _log.warning("MCP_API_KEY: %s. Fine for a trial, refused in production.", weakness)

"""What a client carries for us and must not read or change: sealed, bound and short-lived.

When a call needs an answer from the user, everything it has learned so far travels to the client and back as
`requestState`. That is input like any other, from somebody who may be an attacker. So it is encrypted and
authenticated, and says inside whom it was given to, for which request, and until when. Each failure looks the same from
outside; the reason stands in the log.

The first key seals, all of them open, so keys can be changed while clients hold states.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json, to_json

from mcp_server.protocol.errors import ProtocolError, Reason, invalid_params

logger = logging.getLogger("mcp_server.engine")

MAX_STATE: Final = 256 * 1024
"""How large a state may be, in bytes, before it is not even decrypted."""

_VERSION: Final = b"1"
_NONCE: Final = 12


class Seal:
    """Seals and opens states; without keys it makes one up, which other processes do not have."""

    def __init__(
        self, keys: Sequence[bytes] = (), *, lifetime: float = 3600.0, clock: Callable[[], float] = time.time
    ) -> None:
        own = keys or [secrets.token_bytes(32)]
        self._keys = [hashlib.sha256(b"mcp-server request state" + key).digest() for key in own]
        self._lifetime = lifetime
        self._clock = clock

    def close(self, content: Mapping[str, Any], *, principal: str | None, request: bytes) -> str:
        """Seal a content for one principal and one request."""
        envelope = {"e": self._clock() + self._lifetime, "c": content}
        nonce = os.urandom(_NONCE)
        sealed = _cipher(self._keys[0]).encrypt(nonce, to_json(envelope), _bound_to(principal, request))
        return base64.urlsafe_b64encode(_VERSION + nonce + sealed).rstrip(b"=").decode()

    def open(self, state: str, *, principal: str | None, request: bytes) -> dict[str, Any]:
        """The content of a state.

        Raises:
            ProtocolError: It is not ours, was changed, is over, or was given to somebody else or for something else.
        """
        if len(state) > MAX_STATE:
            raise _refused("too large")
        try:
            data = base64.b64decode(state + "=" * (-len(state) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _refused("not base64") from None
        if data[:1] != _VERSION or len(data) <= 1 + _NONCE:
            raise _refused("not a state")
        envelope = from_json(self._decrypted(data[1 : 1 + _NONCE], data[1 + _NONCE :], _bound_to(principal, request)))
        if not envelope["e"] > self._clock():
            raise _refused("over")
        return envelope["c"]

    def _decrypted(self, nonce: bytes, sealed: bytes, bound_to: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as below

        for key in self._keys:
            try:
                return _cipher(key).decrypt(nonce, sealed, bound_to)
            except InvalidTag:
                continue
        raise _refused("changed, or given to somebody else or for another request")


def digest(method: str, params: Mapping[str, Any]) -> bytes:
    """What identifies a request from one try to the next: what is asked, and with which arguments."""
    asked = {key: params.get(key) for key in ("name", "uri", "arguments")}
    return hashlib.sha256(to_json([method, asked])).digest()


def _bound_to(principal: str | None, request: bytes) -> bytes:
    return to_json(principal) + b"\0" + request


def _cipher(key: bytes) -> Any:
    # Most servers never ask their users anything, and need not load a cryptographic library.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)


def _refused(reason: str) -> ProtocolError:
    logger.warning("A request state was refused: %s", reason)
    return invalid_params("The request state is not valid: call again without it", Reason.BAD_STATE)

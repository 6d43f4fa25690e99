"""What has to be kept so that it can be read again: locked with a key that is not in the store. Knows nothing of HTTP.

A digest is enough of a password; the secret of an authenticator app must be usable. It is encrypted and authenticated
(AES-256-GCM) together with the name of its user, so that what was copied to another account does not open there. The
first key locks, all of them open, so that keys can be changed.

It protects a store that is read by somebody who has no key: a backup, a copy, a database that others run. Who reads the
settings as well reads everything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12


class Locked(Exception):  # noqa: N818 - it is what has happened
    """None of the keys opens it."""


class Locker:
    """Locks and opens; without keys it can do neither."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = [hashlib.sha256(b"mcp-server locker\0" + key.encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def lock(self, text: str, name: str) -> str:
        """Lock a text that belongs to somebody.

        Raises:
            Locked: There is no key.
        """
        if not self._keys:
            raise Locked
        nonce = os.urandom(_NONCE)
        sealed = _cipher(self._keys[0]).encrypt(nonce, text.encode(), name.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, kept: str, name: str) -> str:
        """The text.

        Raises:
            Locked: There is no key for it, or it belongs to somebody else.
        """
        return self._opened(kept, name)[0]

    def is_current(self, kept: str, name: str) -> bool:
        """Whether it is the first key that opens it; False also if none does."""
        try:
            return self._opened(kept, name)[1] == 0
        except Locked:
            return False

    def _opened(self, kept: str, name: str) -> tuple[str, int]:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - for those who have one-time codes

        try:
            data = base64.urlsafe_b64decode(kept)
        except (binascii.Error, ValueError):
            raise Locked from None
        for number, key in enumerate(self._keys):
            try:
                return _cipher(key).decrypt(data[:_NONCE], data[_NONCE:], name.encode()).decode(), number
            except (InvalidTag, ValueError):  # ValueError: too short to be anything
                continue
        raise Locked


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

    return AESGCM(key)

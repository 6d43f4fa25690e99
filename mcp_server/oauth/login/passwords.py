"""Passwords: argon2id, off the event loop, and as slow for a user who does not exist."""

from __future__ import annotations

import asyncio
import base64
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 12
LONGEST: Final = 1000
_FEWEST_CHARACTERS: Final = 5
_VERSION: Final = 19
"""Of argon2, as its digests name it: 1.3."""
_AT_ONCE: Final = 2
"""Each takes 64 MiB and four threads for a moment; a flood of sign-ins waits instead of filling the memory."""


def fault_in(password: str, name: str) -> str | None:
    """What is wrong with a new password, or None."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"A password has {SHORTEST} characters or more, and at most {LONGEST}."
    if len(set(password)) < _FEWEST_CHARACTERS:
        return "A password has more than a few different characters."
    if name.casefold() in password.casefold():
        return "A password does not contain the name of its user."
    return None


class Passwords:
    """Makes and checks digests of passwords, with the parameters of RFC 9106 for little memory."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobodys = _digest_of_nothing(self._hasher)
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def digest(self, password: str) -> str:
        """The digest to be stored."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, digest: str | None, password: str) -> bool:
        """Whether a password is the one; without a digest the same work is done, and it is not."""
        async with self._turn:
            right = await asyncio.to_thread(self._verify, digest or self._nobodys, password)
        return right and digest is not None

    def is_dated(self, digest: str) -> bool:
        """Whether the digest was made with parameters that are no longer ours."""
        return self._hasher.check_needs_rehash(digest)

    def _verify(self, digest: str, password: str) -> bool:
        try:
            return self._hasher.verify(digest, password)
        except (VerificationError, InvalidHashError):
            return False


def _digest_of_nothing(hasher: PasswordHasher) -> str:
    """A digest that costs as much to check as any other, of no password at all."""
    salt, digest = (_base64(secrets.token_bytes(length)) for length in (hasher.salt_len, hasher.hash_len))
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={_VERSION}${costs}${salt}${digest}"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")

"""The keys of this server: reading one out of a request, and telling which of ours it is.

Several keys are valid at once, so that one can be replaced without an outage. A key is known by its fingerprint: eight
hexadecimal digits of a salted hash, for logs and limits. It is no prefix of the key, and it is the same in every
worker, so that workers which share their counters agree.

What is accepted in `Authorization`, and nothing else: `Bearer KEY`, with the scheme in any case, written twice (a
client that adds it to a value that had it already), and the key in quotes (a value pasted with them).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from typing import Any

from mcp_server.guards.authority import is_loopback, parse_authority
from mcp_server.guards.caller import caller_of

SHORTEST = 32
_REMEMBERED = 64
_LONGEST_HOST = 512

_SALT = b"mcp-server key fingerprint\0"
_BEARER = re.compile(rb"""bearer\x20+(?:bearer\x20+)?(["']?)([\x21-\x7e]+?)\1[\x20\t]*""", re.IGNORECASE)
_PLAIN = re.compile(rb"[\x21-\x7e]+")
_QUOTES = (b'"', b"'")
_PLACEHOLDER = re.compile(
    r"(^|[-_])your[-_]|^change[-_]?me|^replace[-_]|^example|^placeholder|^<.*>$|^(?P<one>.)(?P=one)*$", re.IGNORECASE
)
_FORWARDING = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip", b"fly-client-ip"}
)
_FORWARDED = b"\nx-forwarded-"
"""How all other names of that kind begin, in a list of names with one on each line."""


def fingerprint(key: bytes) -> str:
    """Name a key without giving any of it away."""
    return hashlib.sha256(_SALT + key).hexdigest()[:8]


def bearer_token(sent: bytes) -> bytes | None:
    """Read the token out of an `Authorization` header; None if it holds anything else."""
    # Nearly everybody writes it plainly, and the pattern for everybody else looks at each character of a long token.
    if sent.startswith(b"Bearer ") and sent[7:8] not in _QUOTES and _PLAIN.fullmatch(sent, 7):
        return sent[7:]
    match = _BEARER.fullmatch(sent)
    return match[2] if match else None


def is_local(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request began on this machine: by its peer, by its Host, and with no trace of a proxy.

    The Host counts because a proxy on this machine that adds no header, and a page that rebinds its name to this
    machine, both look like a local peer; both bring a foreign Host.
    """
    client = scope.get("client")
    headers = caller_of(scope).headers
    if not client or not _FORWARDING.isdisjoint(headers) or _FORWARDED in b"\n".join([b"", *headers]):
        return False
    host = headers.get(b"host", b"")
    # The length first: what is remembered was written by strangers.
    return len(host) <= _LONGEST_HOST and _are_local(client[0], host)


@lru_cache(maxsize=1024)
def _are_local(peer: str, host: bytes) -> bool:
    asked = parse_authority(host.decode("latin-1"))
    return is_loopback(peer) and asked is not None and is_loopback(asked.host)


class Keyring:
    """The configured keys, kept as digests. False when there are none.

    Raises:
        ValueError: a key that no header could ever carry.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests: list[tuple[bytes, str]] = []
        self._remembered: dict[bytes, str] = {}
        weaknesses: list[str] = []
        for position, written in enumerate(keys, start=1):
            key = _unquoted(written).encode()
            if not re.fullmatch(rb"[\x21-\x7e]+", key):
                msg = f"key {position} is empty, or has blanks or characters outside ASCII: no client could send it"
                raise ValueError(msg)
            self._digests.append((hashlib.sha256(key).digest(), fingerprint(key)))
            if _PLACEHOLDER.search(key.decode()):
                weaknesses.append(f"key {position} is a placeholder from the documentation")
            elif len(key) < SHORTEST:
                weaknesses.append(f"key {position} has fewer than {SHORTEST} characters")
        self.weaknesses = tuple(weaknesses)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def recognise(self, token: bytes) -> str | None:
        """Give the fingerprint of the key this token is, or None, in the same time for every token."""
        digest = hashlib.sha256(token).digest()
        found = None
        for known, name in self._digests:
            # All of them are compared, so that the time does not tell which one it was.
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def holder(self, sent: bytes) -> str | None:
        """Give the fingerprint of the key in an `Authorization` header, or None if it holds none of ours."""
        # Headers that were right are remembered. Looking one up tells a guesser nothing: a dict compares bytes only
        # where their hashes agree, and the hash is keyed by a secret of this process.
        known = self._remembered.get(sent)
        if known is not None:
            return known
        token = bearer_token(sent)
        name = self.recognise(token) if token is not None else None
        if name is not None and len(self._remembered) < _REMEMBERED:
            self._remembered[sent] = name
        return name


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text

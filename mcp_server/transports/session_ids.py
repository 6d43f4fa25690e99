"""Session ids of the versions before 2026-07-28, which carry the session in themselves.

What a client said in its handshake is signed and given to it as its session id. Whichever process has the key can then
serve the next request, and a session that nobody uses costs nothing. An id is bound to the principal who made it and
is worth nothing to anybody else; it never proves who somebody is.

What is said later (a log level, a subscription) cannot be in the id. It is kept here, in this process, for as many
sessions as fit; `elsewhere` sees to it that other processes hear of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from pydantic_core import from_json, to_json

from mcp_server.engine.sessions import Session
from mcp_server.protocol.messages import Peer, is_object
from mcp_server.protocol.versions import LEGACY_VERSIONS

Report: TypeAlias = Callable[[str, str, "str | None"], None]
"""Is told of which session (by its digest) what has happened, and the value that belongs to it."""

MAX_ID_LENGTH: Final = 4096
_MAX_PAYLOAD: Final = 2048
_MAX_REMEMBERED: Final = 10_000
_MAX_PEERS: Final = 256


class SessionIds:
    """Mints and reads session ids; the first key signs, all of them are accepted.

    `count` is told of how many sessions this process remembers.
    """

    def __init__(
        self,
        keys: Sequence[bytes] = (),
        *,
        lifetime: float = 24 * 3600.0,
        clock: Callable[[], float] = time.time,
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._count = count
        self._keys = [hashlib.sha256(b"mcp-server session" + key).digest() for key in keys or [secrets.token_bytes(32)]]
        self._lifetime = lifetime
        self._clock = clock
        self._remembered: OrderedDict[str, tuple[float, str | None, Session]] = OrderedDict()
        self._peers: dict[bytes, Peer] = {}
        self._ids: dict[str, str] = {}
        """The ids of those sessions by their digests, if there is somebody to whom sessions are reported."""
        self._ended: OrderedDict[str, None] = OrderedDict()
        """Digests of sessions."""
        self._doubted: set[str] = set()
        """Ids of sessions about which others may know more."""
        self._report: Report | None = None

    def report_to(self, report: Report) -> None:
        """Report what happens to sessions from now on, and which of them should be repeated by whoever knows more."""
        self._report = report

    def mint(self, session: Session, principal: str | None) -> str:
        """An id for a session that has just begun."""
        expires = self._clock() + self._lifetime
        payload = to_json(_facts(session.peer, expires, principal))
        if len(payload) > _MAX_PAYLOAD:
            # The session itself too: it is kept, and others would know no more than what is in the id.
            session.peer = Peer(session.peer.version, _names_only(session.peer.capabilities))
            payload = to_json(_facts(session.peer, expires, principal))
        session.peer = self._shared(session.peer)
        head = _encoded(payload)
        session_id = f"{head}.{_signature(head, self._keys[0])}"
        self._remember(session_id, expires, principal, session)
        return session_id

    def read(self, session_id: str, principal: str | None) -> Session | None:
        """The session behind an id, or None if the id is not ours, not theirs, over or ended."""
        found = self._remembered.get(session_id)
        if found is not None:
            self._remembered.move_to_end(session_id)
            if session_id in self._doubted:
                self._doubted.discard(session_id)
                self._want(session_id)
        else:
            found = None if digest_of(session_id) in self._ended else self._verified(session_id)
            if found is None:
                return None
            self._remember(session_id, *found)
            self._want(session_id)
        expires, owner, session = found
        return session if expires > self._clock() and owner == principal else None

    def _shared(self, peer: Peer) -> Peer:
        """The peer that clients of this make have in common: most servers know few makes and many sessions."""
        if len(self._peers) >= _MAX_PEERS:
            self._peers.clear()
        return self._peers.setdefault(to_json((peer.version, peer.capabilities, peer.info)), peer)

    def end(self, session_id: str) -> None:
        """Accept this id no more."""
        digest = digest_of(session_id)
        self._end(session_id, digest)
        if self._report is not None:
            self._report(digest, "ended", None)

    # -- what other processes know, and want to know -----------------------------------------------------------------

    def end_by_digest(self, digest: str) -> str | None:
        """Accept the id with this digest no more; gives the id, if it is known."""
        session_id = self._ids.get(digest)
        self._end(session_id, digest)
        return session_id

    def find(self, digest: str) -> tuple[str, Session] | None:
        """The session that this process remembers under the digest of an id, and the id."""
        session_id = self._ids.get(digest)
        return None if session_id is None else (session_id, self._remembered[session_id][2])

    def repeat(self, digest: str) -> None:
        """Report everything that this process knows of a session; nothing, if it knows nothing."""
        if self._report is None:
            return
        found = self.find(digest)
        if found is not None:
            for what, value in found[1].said():
                self._report(digest, what, value)
        elif digest in self._ended:
            self._report(digest, "ended", None)

    def doubt(self) -> None:
        """Reports of others may have been missed: what matters is asked for when a session is next used."""
        self._doubted = set(self._remembered)

    def _end(self, session_id: str | None, digest: str) -> None:
        if session_id in self._remembered:
            self._forget(session_id)
        self._ended[digest] = None
        if len(self._ended) > _MAX_REMEMBERED:
            self._ended.popitem(last=False)
        self._count(len(self._remembered))

    def _want(self, session_id: str) -> None:
        if self._report is not None:
            self._report(digest_of(session_id), "wanted", None)

    def _remember(self, session_id: str, expires: float, owner: str | None, session: Session) -> None:
        self._remembered[session_id] = (expires, owner, session)
        if self._report is not None:
            digest = digest_of(session_id)
            session.tell = partial(self._report, digest)
            self._ids[digest] = session_id
        if len(self._remembered) > _MAX_REMEMBERED:
            self._forget(next(iter(self._remembered)))
        self._count(len(self._remembered))

    def _forget(self, session_id: str) -> None:
        del self._remembered[session_id]
        if self._report is not None:
            del self._ids[digest_of(session_id)]
        self._doubted.discard(session_id)

    def _verified(self, session_id: str) -> tuple[float, str | None, Session] | None:
        head, _, tail = session_id.partition(".")
        if len(session_id) > MAX_ID_LENGTH or not session_id.isascii():
            return None
        if not any(hmac.compare_digest(tail, _signature(head, key)) for key in self._keys):
            return None
        facts = from_json(_decoded(head))
        if facts["v"] not in LEGACY_VERSIONS:  # signed by a release that knew more versions
            return None
        return facts["e"], facts["p"], Session(self._shared(Peer(facts["v"], facts["c"], facts["i"])))


def digest_of(session_id: str) -> str:
    """By what a session is called where its id should not be seen."""
    return hashlib.sha256(session_id.encode(errors="surrogateescape")).hexdigest()


def _signature(head: str, key: bytes) -> str:
    """The signature of an id's text: the same bytes can be written in several ways, and only one of them is the id."""
    return _encoded(hmac.digest(key, head.encode(), "sha256"))


def _facts(peer: Peer, expires: float, principal: str | None) -> dict[str, Any]:
    nonce = secrets.token_urlsafe(16)
    return {"v": peer.version, "c": peer.capabilities, "i": peer.info, "e": expires, "p": principal, "n": nonce}


def _names_only(capabilities: Any) -> dict[str, Any]:
    """Capabilities without their details, for a client whose details do not fit."""
    return {name[:64]: {} for name, value in list(capabilities.items())[:16] if is_object(value)}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""Who is calling: the one address that limits and logs may rely on.

The address of the peer is a fact. `X-Forwarded-For` is a claim, and everything left of the entry our own proxy wrote
is the client's invention. So the header is read only when the peer is a proxy we were told to trust, from the right,
past the entries that are trusted proxies themselves, and the first other entry is the client. Something unreadable on
that walk means a proxy we do not understand: then the peer is all we know. The leftmost entry is never special.

`trusted` lists networks, and two words:

- `unknown` trusts peers that have no address (a Unix socket, a load balancer event of Lambda);
- `*` trusts whoever connects, for exactly one hop: the rightmost entry is the client. Safe behind one proxy, and not
  safe where anybody can connect directly.

`header` names one header that the proxy sets itself instead (`Fly-Client-IP`, `CF-Connecting-IP`); then
`X-Forwarded-For` is not read at all.

IPv4 in IPv6 clothes is IPv4. IPv6 is cut to its /64: whoever has one address of it has all 2**64.

This module assumes that the server in front does not do the same work (uvicorn: `proxy_headers=False`): after that,
the peer would be somebody's claim.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from starlette.types import ASGIApp, Scope

from mcp_server.guards.caller import UNKNOWN, Caller
from mcp_server.guards.gate import Guard

# Some proxies write the port of the client too: "192.0.2.1:4711", "[2001:db8::1]:4711".
_WITH_PORT = re.compile(r"(?:(?P<v4>\d+\.\d+\.\d+\.\d+)|\[(?P<v6>[^\[\]]+)\])(?::\d+)?", re.ASCII)
_LONGEST = 64


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address as proxies write it, with or without a port; None if it is not one."""
    if match := _WITH_PORT.fullmatch(text):
        text = match["v4"] or match["v6"]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class _Place(NamedTuple):
    """What an address means here: what it is counted as, and whether it is one of our proxies."""

    bucket: str
    is_proxy: bool


class ClientAddress(Guard):
    """Puts the client's address into the caller's facts, and the scheme a trusted proxy reports into the scope."""

    def __init__(self, app: ASGIApp, *, trusted: Iterable[str] = (), header: str | None = None) -> None:
        words = {word.strip() for word in trusted}
        super().__init__(app)
        self._trust_any_peer = "*" in words
        self._nowhere = _Place(UNKNOWN, is_proxy=UNKNOWN in words)
        self._networks = [ipaddress.ip_network(word) for word in words - {"*", UNKNOWN}]
        self._header = header.lower().encode("ascii") if header else None
        self._remembered = lru_cache(maxsize=4096)(self._look_up)

    def look(self, scope: Scope, caller: Caller) -> None:
        """Settle who is calling; nobody is refused for it."""
        client = scope.get("client")
        # Not `_remembered` at once: a server in front that believes everybody passes on what a stranger wrote.
        peer = (client and self._place(client[0])) or self._nowhere
        if peer.is_proxy or self._trust_any_peer:
            peer = self._behind(peer, scope, caller.headers)
        caller.address = peer.bucket

    def _behind(self, proxy: _Place, scope: Scope, headers: dict[bytes, bytes]) -> _Place:
        """Believe what a proxy says about the request it passed on, as far as it can know."""
        protocol = headers.get(b"x-forwarded-proto")
        if protocol in (b"https", b"http"):
            scope["scheme"] = protocol.decode("ascii")
        if self._header is not None:
            return self._place(headers.get(self._header, b"").decode("latin-1")) or proxy
        place = None
        claims = headers.get(b"x-forwarded-for")
        if claims is None:
            return proxy
        for hop in reversed(claims.decode("latin-1").split(",")):
            place = self._place(hop)
            if place is None or not place.is_proxy:
                break
        return place or proxy

    def _place(self, text: str) -> _Place | None:
        text = text.strip()
        # The length first: what is remembered was written by strangers.
        return self._remembered(text) if len(text) <= _LONGEST else None

    def _look_up(self, text: str) -> _Place | None:
        address = parse_address(text)
        if address is None:
            return None
        is_proxy = any(address in network for network in self._networks)
        if isinstance(address, ipaddress.IPv4Address):
            return _Place(str(address), is_proxy)
        return _Place(f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64", is_proxy)

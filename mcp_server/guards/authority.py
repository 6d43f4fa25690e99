"""Host names as they stand in `Host` and `Origin`: taking them apart, and telling this machine from the rest.

Strict on purpose: `127.0.0.1.evil.example` and `localhost@evil.example` are not this machine.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_AUTHORITY = re.compile(r"(?P<host>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?", re.IGNORECASE | re.ASCII)


class Authority(NamedTuple):
    """A host in lower case, without the dot of the root and without brackets; a port if one was written."""

    host: str
    port: int | None


def parse_authority(text: str) -> Authority | None:
    """Take `host[:port]` apart; None for anything else, user names and paths included."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    host = match["host"].lower().strip("[]").removesuffix(".")
    return Authority(host, int(match["port"]) if match["port"] else None)


def is_loopback(host: str) -> bool:
    """Whether a host, or the address of a peer, can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback

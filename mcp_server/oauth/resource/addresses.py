"""Under which URLs clients know this server: what tokens are issued for, and where the metadata say so.

A client compares the `resource` of the metadata with the URL that its user typed, byte for byte. So it is made of an
address that the operator has named, never of what a request claims in its `Host`: that only chooses among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

from mcp_server.guards.authority import Authority, is_loopback, parse_authority
from mcp_server.guards.caller import caller_of

FACES: Final = ("/mcp", "/mcp/", "/mcp/sse", "/mcp/sse/")
"""The paths that a user may type."""
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"

_SAME: Final = {"/mcp/messages": "/mcp/sse"}
"""A path that no user types, and the one through which it was reached."""
_USUAL_PORT: Final = {"https": 443, "http": 80}
_LONGEST: Final = 512


class Addresses:
    """The addresses of this server, without a path of MCP; the first is what is said where `Host` is none of them."""

    def __init__(self, bases: Sequence[str]) -> None:
        self.bases = tuple(bases)
        self._by_host = {_authority_of(base): base for base in reversed(self.bases)}

    @property
    def audiences(self) -> list[str]:
        """What a token may name as its audience: the address alone, or with any path of MCP."""
        return [base + path for base in self.bases for path in ("", "/", *FACES)]

    def base(self, scope: Scope) -> str:
        """The address by which a request has come, if it is one of ours."""
        host = caller_of(scope).headers.get(b"host", b"")
        asked = parse_authority(host.decode("latin-1")) if len(host) <= _LONGEST else None
        if asked is None:
            return self.bases[0]
        found = self._by_host.get(asked)
        if found is None and asked.port in _USUAL_PORT.values():
            found = self._by_host.get(asked._replace(port=None))
        return found or self.bases[0]


def face_of(scope: Scope) -> str:
    """The path of MCP that a request asks for; the foremost for everything else."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    path = _SAME.get(path, path)
    return path if path in FACES else FACES[0]


def metadata_url(base: str, face: str) -> str:
    """Where the metadata of one of our resources are."""
    return base + WELL_KNOWN + face


def bases_of(public_url: str | None, hosts: Iterable[str], port: int) -> list[str]:
    """The addresses of a server: the public one, then those of its other names; without any, this machine's.

    A host that stands for many (`*.example.com`) is no address. Other names are taken to be behind the same kind of
    door as the public one, which may have a path in front.
    """
    if public_url is None:
        return [f"http://{host}:{port}" for host in ("localhost", "127.0.0.1", "[::1]")]
    parts = urlsplit(public_url)
    others = [f"{'http' if _is_here(host) else 'https'}://{host}{parts.path}" for host in hosts if "*" not in host]
    return list(dict.fromkeys([public_url, *(each for each in others if urlsplit(each).netloc != parts.netloc)]))


def _is_here(host: str) -> bool:
    authority = parse_authority(host)
    return authority is not None and is_loopback(authority.host)


def _authority_of(base: str) -> Authority:
    parts = urlsplit(base)
    port = None if parts.port == _USUAL_PORT[parts.scheme] else parts.port
    return Authority((parts.hostname or "").removesuffix("."), port)

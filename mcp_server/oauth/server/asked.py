"""What is asked for: for which resource, and with which scopes."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.options import OFFLINE, ServerOptions


class Asked:
    """Reads what requests ask for.

    Args:
        options: What there is.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        paths = ("", options.path, *options.further_paths)
        urls = [base + path for base in (options.public_url, *options.further_urls) for path in paths]
        self._forms = frozenset(form for url in urls if (form := _normal(url)) is not None)

    def resource(self, named: Sequence[str]) -> str | None:
        """The resource that is meant (RFC 8707): ours, however it is written; None if none is named.

        Raises:
            Fault: Another one is named.
        """
        if any(_normal(each) not in self._forms for each in named):
            raise Fault("invalid_target", "This server issues no tokens for that resource.")
        return self._options.resource if named else None

    def scopes(self, text: str | None, client: Client) -> tuple[str, ...] | None:
        """The scopes that are named, each once; None if there are none.

        Raises:
            Fault: One cannot be had, by anybody or by this client.
        """
        named = tuple(dict.fromkeys((text or "").split(" "))) if text else ()
        named = tuple(each for each in named if each)
        for scope in named:
            if scope not in self._options.offered or not self._may_have(client, scope):
                raise Fault("invalid_scope", "A scope is not one that can be had here.")
        return named or None

    def usual(self, client: Client) -> tuple[str, ...]:
        """The scopes of a client that names none."""
        return tuple(scope for scope in self._options.scopes if self._may_have(client, scope))

    @staticmethod
    def _may_have(client: Client, scope: str) -> bool:
        return client.scopes is None or scope in client.scopes or scope == OFFLINE


def _normal(url: str) -> str | None:
    """An address without what makes no difference: case of scheme and host, the usual port, a last slash."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.query or parts.fragment or "#" in url or "@" in parts.netloc:
        return None
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    at = "" if port in {None, usual} else f":{port}"
    return f"{parts.scheme}://{parts.hostname}{at}{parts.path.removesuffix('/')}"

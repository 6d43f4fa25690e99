"""Host and Origin: no foreign web page may drive this server through somebody's browser.

Two attacks, both of which need a browser, since anybody else writes the headers they like:

- a page of `evil.example` posts to our address. The browser says so in `Origin`.
- DNS rebinding: `evil.example` first resolves to the page's server, then to ours. For the browser both are one site;
  it sends `Host: evil.example` and `Origin: http://evil.example`. The key to it is a Host that is none of ours.

What is ours: this machine's own names (rebinding cannot make a browser send `Host: localhost`), and `hosts`.

Host. One of ours passes. An unknown one is refused when `strict`. When not, it passes as long as no `Origin` comes
with it: such a request is no browser's, or it is a plain navigation, whose answer no foreign page can read. This is
what lets a fresh deployment answer under its real name before anybody has configured a name, while rebinding, which
needs POST and therefore sends `Origin`, stays refused. `strict` is the default as soon as `hosts` is not empty.

Origin. None passes. Otherwise it must be one of these:

- listed in `origins` (exact, as `scheme://host[:port]`; `*` for any; `null` only if listed);
- a page of this machine, asking this machine;
- the same host as `Host`, and that one is ours;
- the same authority as `Host` over HTTPS, if this request really came over TLS: then the browser has seen our
  certificate for that name, which a rebound name does not have.

`Sec-Fetch-Site` is not consulted: browsers send it only to HTTPS and to this machine, where rebinding has no hold, and
a cross-site navigation to the authorization page is legitimate. `X-Forwarded-Host` is a claim like any other.
The status is 403, never 421: a client may take 421 as an invitation to try again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Scope

from mcp_server.guards.authority import Authority, is_loopback, parse_authority
from mcp_server.guards.caller import Caller
from mcp_server.guards.gate import Guard
from mcp_server.guards.paths import Paths
from mcp_server.guards.refusals import BAD_HOST, BAD_ORIGIN, Refusal

_log = logging.getLogger(__name__)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)", re.IGNORECASE | re.ASCII)
_LONGEST = 512


class HostNames:
    """The allow-list of hosts: exact names, `*.example.com` for all names below, `*`; a port counts only if written."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._any = False
        self._exact: set[Authority] = set()
        self._below: list[Authority] = []
        for pattern in patterns:
            if pattern == "*":
                self._any = True
                continue
            authority = parse_authority(pattern.removeprefix("*."))
            if authority is None:
                msg = f"not a host name: {pattern!r} (write example.com, example.com:8443 or *.example.com)"
                raise ValueError(msg)
            if pattern.startswith("*."):
                self._below.append(Authority(f".{authority.host}", authority.port))
            else:
                self._exact.add(authority)

    def __contains__(self, asked: Authority) -> bool:
        if self._any or is_loopback(asked.host) or asked in self._exact or asked._replace(port=None) in self._exact:
            return True
        return any(asked.host.endswith(host) and port in (None, asked.port) for host, port in self._below)


class OriginGuard(Guard):
    """Refuses unknown hosts and foreign pages with 403."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        strict: bool | None = None,
        open_paths: Iterable[str] = (),
    ) -> None:
        super().__init__(app)
        hosts = tuple(hosts)
        self._hosts = HostNames(hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._strict = bool(hosts) if strict is None else strict
        self._open = Paths(open_paths)
        self._warned = False
        # A server is called by few names: nearly every request is judged by looking it up.
        self._judge = lru_cache(maxsize=1024)(self._judged)

    def look(self, scope: Scope, caller: Caller) -> Refusal | None:
        """Refuse an unknown host or a foreign page."""
        host, origin = caller.headers.get(b"host"), caller.headers.get(b"origin")
        # The length first: what is remembered was written by strangers.
        if host is not None and len(host) > _LONGEST:
            refusal: Refusal | None = BAD_HOST
        elif origin is not None and len(origin) > _LONGEST:
            refusal = BAD_ORIGIN
        else:
            refusal = self._judge(host, origin, scope.get("scheme") == "https")
        if refusal is None or self._open.match(scope):
            return None
        self._explain(refusal)
        return refusal

    def _judged(self, raw_host: bytes | None, raw_origin: bytes | None, over_tls: bool) -> Refusal | None:  # noqa: FBT001 - a key of the cache
        host = parse_authority(raw_host.decode("latin-1")) if raw_host is not None else None
        if raw_host is not None and host is None:
            return BAD_HOST
        ours = host is not None and host in self._hosts
        if self._strict and not ours:
            return BAD_HOST
        if raw_origin is None or self._welcome(
            raw_origin.decode("latin-1").lower(), host, ours=ours, over_tls=over_tls
        ):
            return None
        return BAD_ORIGIN

    def _welcome(self, text: str, host: Authority | None, *, ours: bool, over_tls: bool) -> bool:
        if "*" in self._origins or text in self._origins:
            return True
        match = _ORIGIN.fullmatch(text)
        origin = parse_authority(match["authority"]) if match else None
        if match is None or origin is None or host is None:
            return False
        if is_loopback(origin.host) and is_loopback(host.host):
            return True
        if ours and origin.host == host.host:
            return True
        return over_tls and match["scheme"] == "https" and origin == host

    def _explain(self, refusal: Refusal) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "A request was refused (%s): if it was meant for this server, name its host in ALLOWED_HOSTS "
                "or the page's origin in CORS_ALLOWED_ORIGINS. Said once.",
                refusal.error,
            )

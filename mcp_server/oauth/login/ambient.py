"""Ways in which it is known with every request who a person is, so that there is no session and no page to sign in.

Somebody else has signed them in: a proxy in front, or the developer's own code; or nobody has, which is for trying
things out on one's own machine.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from mcp_server.guards.addresses import parse_address
from mcp_server.guards.caller import UNKNOWN
from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.shown import clean
from mcp_server.oauth.login.stops import Stop
from mcp_server.settings.meanings import is_loopback

logger = logging.getLogger("mcp_server.oauth.login")

Hook = Callable[[Request], Awaitable[Person | Response | None]]
"""The developer's own: who it is, or an answer (a redirect to their own sign-in page), or None for nobody."""

_LONGEST: Final = 200


class Ambient(Protocol):
    """Tells who has sent a request."""

    @property
    def name(self) -> str:
        """What sets it apart from other ways."""
        ...

    def agrees(self, request: Request, /) -> bool:
        """Whether nobody is asked."""
        ...

    async def who(self, request: Request, /) -> Person | Response:
        """The person, or an answer.

        Raises:
            Stop: It is nobody.
        """
        ...


class ProxyHeader:
    """A proxy has signed them in, and names them in a header.

    Args:
        header: Which one.
        trusted: The networks of the proxies whose word counts; `unknown` for those at a Unix socket.

    Raises:
        ValueError: Everybody is trusted, or nobody: then anyone could be anybody, or no one could ever sign in.
    """

    name = "header"

    def __init__(self, header: str, trusted: Iterable[str]) -> None:
        words = set(trusted)
        if not words or "*" in words:
            msg = "Who is named in a header is believed only from proxies whose networks TRUSTED_PROXIES lists."
            raise ValueError(msg)
        self._header = header
        self._nameless = UNKNOWN in words
        self._networks = [ipaddress.ip_network(word) for word in words - {UNKNOWN}]

    def agrees(self, _request: Request, /) -> bool:
        """Never."""
        return False

    async def who(self, request: Request) -> Person:
        """Whom the proxy names."""
        names = request.headers.getlist(self._header)
        if not self._trusts(request):
            logger.warning("a request for the sign-in pages did not come from a proxy in TRUSTED_PROXIES")
            raise _nobody()
        name = names[0].strip() if len(names) == 1 else ""
        if not name or len(name) > _LONGEST or not name.isprintable() or "," in name:
            raise _nobody()
        return Person(f"proxy:{name}", clean(name, _LONGEST))

    def _trusts(self, request: Request) -> bool:
        """The peer itself, not whom it claims to speak for."""
        if request.client is None:
            return self._nameless
        address = parse_address(request.client.host)
        return self._nameless if address is None else any(address in network for network in self._networks)


class OwnCode:
    """The developer's own function tells."""

    name = "hook"

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    def agrees(self, _request: Request, /) -> bool:
        """Never; who wants that has `AutoApproval`."""
        return False

    async def who(self, request: Request) -> Person | Response:
        """Whoever the function says."""
        found = await self._hook(request)
        if found is None:
            raise _nobody()
        return found


class AutoApproval:
    """Everybody on this machine is one person, who agrees to everything: for development.

    It is checked with each request that it has not left this machine: neither the peer nor the host that was asked
    for is another, and nothing says that a tunnel or a proxy has passed it on. A page of another site that sends the
    browser here does not get what it wants either: then the person is asked.

    Raises:
        ValueError: The server is reached under another name than this machine's own.
    """

    name = "auto"

    def __init__(self, options: LoginOptions) -> None:
        if not options.is_local:
            msg = "OAUTH_LOGIN=auto lets everybody in and asks nobody, so it serves this machine and no public address."
            raise ValueError(msg)

    def agrees(self, request: Request) -> bool:
        """Unless another site has sent the browser."""
        return request.headers.get("sec-fetch-site", "none") in {"none", "same-origin", "same-site"}

    async def who(self, request: Request) -> Person:
        """The developer."""
        passed_on = any(
            name in {"forwarded", "via"} or name.startswith(("x-forwarded-", "cf-")) for name in request.headers
        )
        peer = request.client.host if request.client else ""
        local = is_loopback(f"[{peer}]" if ":" in peer else peer) and is_loopback(request.headers.get("host", ""))
        if passed_on or not local:
            logger.error("OAUTH_LOGIN=auto was reached from elsewhere than this machine; refused")
            text = "This server lets everybody in and asks nobody, which is for development on one's own machine alone."
            raise Stop(403, "Only on its own machine", text)
        return Person("dev:local", "the developer of this server")


def _nobody() -> Stop:
    text = (
        "This server does not sign people in by itself, and whoever should has not said who you are. "
        "Sign in there first."
    )
    return Stop(403, "You are not signed in", text)

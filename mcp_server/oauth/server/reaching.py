"""Fetching what a stranger has named, without being led to anything that only we can reach.

The name is looked up once, here, and every address it has must be a public one; then the connection goes to the
address that was looked at, while certificate and `Host` are those of the name. So there is no second look-up that could
say something else. Redirects are not followed, no proxy of the environment is used, and size and time are bounded.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from pydantic_core import from_json

from mcp_server.guards.addresses import parse_address
from mcp_server.guards.authority import is_loopback

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a host."""
ClientFactory = Callable[[], httpx2.AsyncClient]

LARGEST: Final = 64 * 1024
PATIENCE: Final = 5.0
"""Seconds for everything: the look-up, the connection and the answer."""

_NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        # Whatever this version of Python thinks of them; some of these have become special only lately.
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_REACHABLE: Final = ipaddress.ip_network("2000::/3")
"""The only part of IPv6 that is handed out to the public."""
_NEVER_6: Final = tuple(
    ipaddress.ip_network(text)
    # Teredo, 6to4 and the like hide an address of IPv4; the others are for documentation, tests and overlays.
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


class NotFetched(Exception):  # noqa: N818 - it is what has happened
    """There is nothing to be had from there; `lasting` if asking again would not help."""

    def __init__(self, why: str, *, lasting: bool) -> None:
        super().__init__(why)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was found."""

    body: Any
    """The JSON."""
    cache_control: str


def is_public(text: str) -> bool:
    """Whether an address is one that anybody on the internet could reach."""
    address = parse_address(text)
    if address is None:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NEVER)
    return address in _REACHABLE and not any(address in network for network in _NEVER_6)


async def look_up(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, by this machine's own resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def plain_client() -> httpx2.AsyncClient:
    """What fetches documents: no proxy of the environment, no redirects, a connection for each fetch.

    Whose certificates are believed is the operator's to say, by SSL_CERT_FILE as everywhere.
    """
    return httpx2.AsyncClient(
        verify=httpx2.create_ssl_context(trust_env=True),
        trust_env=False,
        follow_redirects=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


class Reaching:
    """Fetches JSON from addresses that strangers name.

    Args:
        client: Makes the HTTP client for one fetch.
        resolve: Looks up a host.
        loopback: For development: this machine counts as public, and may be asked over http.
        patience: How many seconds a fetch may take.
    """

    def __init__(
        self,
        client: ClientFactory = plain_client,
        resolve: Resolve = look_up,
        *,
        loopback: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        self._client = client
        self._resolve = resolve
        self._loopback = loopback
        self._patience = patience

    async def fetch(self, url: str) -> Fetched:
        """The JSON at an address.

        Raises:
            NotFetched: For whatever reason there is none.
        """
        try:
            async with asyncio.timeout(self._patience):
                return await self._fetch(httpx2.URL(url))
        except TimeoutError:
            raise NotFetched("it took too long", lasting=False) from None
        except (httpx2.HTTPError, OSError) as error:
            raise NotFetched(f"it could not be reached ({type(error).__name__})", lasting=False) from None
        except (httpx2.InvalidURL, ValueError, OverflowError):  # by the resolver, too: of labels that are none
            raise NotFetched("its address cannot be read", lasting=True) from None

    async def _fetch(self, url: httpx2.URL) -> Fetched:
        here = self._loopback and is_loopback(url.host)
        if url.scheme != "https" and not (here and url.scheme == "http"):
            raise NotFetched("it is not at an https address", lasting=True)
        address = await self._checked(url.host, url.port or (443 if url.scheme == "https" else 80))
        pinned = url.copy_with(host=address)
        headers = {
            "host": url.netloc.decode("ascii"),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "mcp-server",
        }
        async with (
            self._client() as client,
            client.stream(
                "GET",
                pinned,
                headers=headers,
                follow_redirects=False,
                timeout=self._patience,
                extensions={"sni_hostname": url.host},
            ) as response,
        ):
            return await _read(response)

    async def _checked(self, host: str, port: int) -> str:
        """The address of a host to which the connection goes."""
        addresses = await self._resolve(host, port)
        if not addresses:
            raise NotFetched("its host has no address", lasting=False)
        # One bad address among good ones is how a name is made to lead inside.
        if not all(is_public(each) or (self._loopback and is_loopback(each)) for each in addresses):
            raise NotFetched("its host is not on the public internet", lasting=True)
        return addresses[0]


async def _read(response: httpx2.Response) -> Fetched:
    if response.status_code != 200:  # noqa: PLR2004 - and no redirect either
        lasting = 300 <= response.status_code < 500 and response.status_code != 429  # noqa: PLR2004
        raise NotFetched(f"the answer was {response.status_code}", lasting=lasting)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise NotFetched("it is not JSON by its type", lasting=True)
    body = bytearray()
    # Raw: what is small when it is compressed need not be so afterwards.
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST:
            raise NotFetched("it is too large", lasting=True)
    try:
        found: Any = from_json(bytes(body), allow_inf_nan=False)
    except ValueError:
        raise NotFetched("it is not JSON", lasting=True) from None
    return Fetched(found, response.headers.get("cache-control", ""))

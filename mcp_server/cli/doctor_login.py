"""`mcp-server doctor --login`: the way of a client that knows nothing but the URL, up to where a person signs in.

From the 401 to the metadata of the resource, from there to those of the authorization server, and to its page. What
clients compare is compared here; what they do not follow, such as redirects, is not followed here either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from mcp_server.cli.doctor import Finding, address
from mcp_server.cli.problem import Misuse
from mcp_server.cli.targets import Target

_FIRST: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "mcp-server doctor", "version": "1"},
    },
}
_JSON: Final = {"Accept": "application/json, text/event-stream"}
_NAMES: Final = ("oauth-authorization-server", "openid-configuration")
_UNAUTHORIZED: Final = 401
_OK: Final = 200
_ENABLE: Final = "Set OAUTH_ENABLED=true and PUBLIC_URL where the server runs, or OAUTH_ISSUERS."


class _Lost(Exception):  # noqa: N818 - the way ends here
    """There is no going on; what was found last."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.finding = Finding("failure", what, todo)


def way_in(target: Target) -> Iterator[Finding]:
    """Go the way, as far as it leads."""
    if target.url is None:
        raise Misuse("--login goes with a URL", "Only over HTTP is there a login.")
    if target.headers:
        raise Misuse("--login goes without a key", "Leave --key and --header out.")
    yield from address(target)
    with httpx2.Client(timeout=target.timeout, follow_redirects=False) as http:
        way = _Way(http, target.url)
        try:
            yield from way.findings()
        except _Lost as lost:
            yield lost.finding


class _Way:
    """One client at one URL, without a token."""

    def __init__(self, http: httpx2.Client, url: str) -> None:
        self._http = http
        self._url = url

    def findings(self) -> Iterator[Finding]:
        place = self._challenged()
        yield Finding("ok", f"401, and its way to {place}")
        resource = self._document(place, "the resource's metadata")
        if resource.get("resource") != self._url:
            todo = "Clients compare the two: connect to the former, or correct PUBLIC_URL."
            yield Finding("failure", f"The metadata are for {resource.get('resource')}, not for {self._url}", todo)
        issuer = next(iter(_listed(resource, "authorization_servers")), None)
        if not isinstance(issuer, str):
            raise _Lost("The metadata name no authorization server", _ENABLE)
        server = self._metadata(issuer)
        yield Finding("ok", f"The authorization server is {issuer}")
        yield from _fit(server, issuer)
        yield from self._page(server)

    def _challenged(self) -> str:
        """Where the refusal of a stranger says that the metadata are."""
        answer = self._sent("POST", self._url, json=_FIRST)
        if answer.status_code == _OK:
            raise _Lost("The server answers without a login", _ENABLE)
        if answer.status_code != _UNAUTHORIZED:
            todo = "Clients sign in after a 401 alone. What stands in the server's log, and what is in front of it?"
            raise _Lost(f"POST {self._url}: {answer.status_code}", todo)
        challenge = answer.headers.get("www-authenticate", "")
        place = challenge.partition('resource_metadata="')[2].partition('"')[0]
        if not place:
            raise _Lost("The 401 has no resource_metadata in its WWW-Authenticate", _ENABLE)
        return place

    def _metadata(self, issuer: str) -> dict[str, Any]:
        """What an authorization server says of itself, wherever it has it."""
        parts = urlsplit(issuer)
        base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        places = [f"{base}/.well-known/{name}{path}" for name in _NAMES]
        places.append(f"{base}{path}/.well-known/{_NAMES[1]}")
        for place in dict.fromkeys(places):
            if self._sent("GET", place).status_code == _OK:
                return self._document(place, "the authorization server's metadata")
        raise _Lost(f"{issuer} has no metadata", f"They should be at {places[0]}.")

    def _page(self, server: dict[str, Any]) -> Iterator[Finding]:
        """Whether a browser would be received."""
        page = server.get("authorization_endpoint")
        if not isinstance(page, str):
            raise _Lost("There is no authorization_endpoint", "Without it nobody can sign in.")
        status = self._sent("GET", page).status_code
        if status == 404 or status >= 500:  # noqa: PLR2004 - of HTTP; what a page says to an empty request is its own
            yield Finding("failure", f"{page}: {status}", "There people are sent to sign in: does the proxy let it by?")
        else:
            yield Finding("ok", f"People sign in at {page}")

    def _document(self, place: str, what: str) -> dict[str, Any]:
        answer = self._sent("GET", place)
        if answer.status_code != _OK:
            raise _Lost(f"{place}: {answer.status_code}", f"That is {what}: does the proxy let the path by?")
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _Lost(f"{place} is no JSON object", f"That is {what}: is it another server that answers there?")
        return found  # pyright: ignore[reportUnknownVariableType]

    def _sent(self, method: str, url: str, **sent: Any) -> httpx2.Response:
        try:
            return self._http.request(method, url, headers=_JSON, **sent)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _Lost(f"{url} does not answer: {error or type(error).__name__}", "Can it be reached?") from None


def _fit(server: dict[str, Any], issuer: str) -> Iterator[Finding]:
    """Whether clients can use an authorization server as it describes itself."""
    if server.get("issuer") != issuer:
        todo = "Clients compare the two, letter by letter."
        yield Finding("failure", f"It calls itself {server.get('issuer')}, not {issuer}", todo)
    if "S256" not in _listed(server, "code_challenge_methods_supported"):
        yield Finding("failure", "It does not offer PKCE with S256", "Claude, ChatGPT and the SDKs use nothing else.")
    ways = {
        "a document": server.get("client_id_metadata_document_supported") is True,
        "registration": "registration_endpoint" in server,
    }
    offered = [way for way, there in ways.items() if there]
    if not offered:
        todo = "Make each by hand: mcp-server clients add."
        yield Finding("warning", "Clients can neither register nor have a document", todo)
    else:
        yield Finding("ok", f"Clients are known by {' or '.join(offered)}")
    if "none" not in _listed(server, "token_endpoint_auth_methods_supported"):
        todo = "Claude and programs on people's own machines have none."
        yield Finding("warning", "It takes no clients without a secret", todo)


def _listed(document: dict[str, Any], name: str) -> list[Any]:
    found = document.get(name)
    return found if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType]

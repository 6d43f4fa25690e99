"""A client and its person's browser, who know nothing of a server but its domain, and reach it where it is said."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from urllib.parse import urlencode

import httpx2
from served import PATIENCE

from tests.oauth.login.login_house import PASSWORD, Browser

BACK = "https://claude.ai/api/mcp/auth_callback"
_CALL = {"action": "call_tool", "name": "search_items", "arguments": {"query": "tea", "limit": 1}}


class Way(httpx2.BaseTransport):
    """Leads requests for one domain to ports of this machine, in turn; whatever is for another is an error.

    Args:
        domain: What clients know.
        ports: Where it is.
        trusted: Whose certificates are good; None if it is reached in clear, as what ends TLS reaches it.
    """

    def __init__(self, domain: str, ports: Sequence[int], trusted: ssl.SSLContext | None = None) -> None:
        self.domain = domain
        self._ports = cycle(ports)
        self._scheme = "http" if trusted is None else "https"
        # Each request has a connection of its own, so that of several workers any may get it.
        lonely = httpx2.Limits(max_keepalive_connections=0)
        self._way = httpx2.HTTPTransport(verify=trusted or True, trust_env=False, limits=lonely)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert (request.url.scheme, request.url.host, request.url.port) == ("https", self.domain, None)
        there = request.url.copy_with(scheme=self._scheme, host="127.0.0.1", port=next(self._ports))
        named = {**request.extensions, "sni_hostname": self.domain}
        sent = httpx2.Request(request.method, there, headers=request.headers, stream=request.stream, extensions=named)
        return self._way.handle_request(sent)


@dataclass
class Visit:
    """Everything that one client asks of one server."""

    way: Way
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    client_id: str = ""
    _verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def __post_init__(self) -> None:
        self.url = f"https://{self.way.domain}"
        self.http = httpx2.Client(transport=self.way, trust_env=False, timeout=PATIENCE)

    def discover(self) -> None:
        """From a 401 to where tokens are to be had, by the addresses that the server names."""
        refused = self.call(None)
        assert refused.status_code == 401, refused.text
        place = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
        resource = self.http.get(place).json()
        assert resource["resource"] == f"{self.url}/mcp"
        [issuer] = resource["authorization_servers"]
        self.metadata = self.http.get(f"{issuer}/.well-known/oauth-authorization-server").json()
        assert self.metadata["issuer"] == self.url
        addresses = {name: each for name, each in self.metadata.items() if name.endswith(("_endpoint", "_uri"))}
        assert addresses
        assert {name: each for name, each in addresses.items() if not each.startswith(f"{self.url}/")} == {}

    def register(self) -> None:
        said = {"client_name": "Claude", "redirect_uris": [BACK], "token_endpoint_auth_method": "none"}
        answer = self.http.post(self.metadata["registration_endpoint"], json=said)
        assert answer.status_code == 201, answer.text
        self.client_id = answer.json()["client_id"]

    def sign_in(self, name: str) -> dict[str, Any]:
        """What the client gets once its person has signed in and allowed it."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": BACK,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "scope": "read",
            "state": "s",
            "resource": f"{self.url}/mcp",
        }
        browser = Browser(transport=self.way)
        page = browser.get(f"{self.metadata['authorization_endpoint']}?{urlencode(asked)}")
        page = browser.submit(page, "/auth/login", name=name, password=PASSWORD)
        came_back = browser.submit(page, "/auth/consent", decision="allow").sent_to
        assert came_back["iss"] == self.url
        return self.token(grant_type="authorization_code", code=came_back["code"], redirect_uri=BACK)

    def token(self, **said: str) -> dict[str, Any]:
        form = {**said, "client_id": self.client_id, "resource": f"{self.url}/mcp"}
        if said["grant_type"] == "authorization_code":
            form["code_verifier"] = self._verifier
        answer = self.http.post(self.metadata["token_endpoint"], data=form)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refresh(self, token: str) -> dict[str, Any]:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def revoke(self, token: str) -> None:
        form = {"token": token, "client_id": self.client_id}
        assert self.http.post(self.metadata["revocation_endpoint"], data=form).status_code == 200

    def call(self, token: str | None) -> httpx2.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self.http.post(f"{self.url}/mcp", json=_CALL, headers=headers)

    def found(self, token: str) -> str:
        """What a tool gives to whoever has this token."""
        answer = self.call(token)
        assert answer.status_code == 200, answer.text
        return answer.text

"""An authorization server over real HTTP, with a page that approves, and a client that knows the flow."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import socket
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mcp_server.guards.addresses import ClientAddress
from mcp_server.oauth.access import TokenVerifier
from mcp_server.oauth.approvals import Approvals, Person
from mcp_server.oauth.server import AuthorizationServer, ServerOptions
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.reaching import ClientFactory, Resolve, look_up, plain_client
from mcp_server.stores import Store
from mcp_server.stores.memory import MemoryStore
from tests.store_backends import Clock

PATIENCE = 60.0
CLAUDE = ("https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback")
ANNA = Person("local:anna", "Anna")


@dataclass
class House:
    """A server that listens."""

    url: str
    server: Any
    store: Store
    clock: Clock
    loop: asyncio.AbstractEventLoop

    def client(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, follow_redirects=False, trust_env=False, timeout=PATIENCE, **options)

    def run(self, work: Awaitable[Any]) -> Any:
        """Do something where the server lives."""

        async def main() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(main(), self.loop).result(PATIENCE)

    @property
    def verifier(self) -> TokenVerifier:
        return self.server.verifier

    @property
    def approvals(self) -> Approvals:
        return self.server.approvals

    def verify(self, token: str) -> Any:
        return self.run(self.verifier.verify(token))


def page(identity: str) -> str:
    return f"/approve?request={identity}"


def pages(server: AuthorizationServer) -> list[Route]:
    """A page that asks nobody: it allows, or refuses if it is told to."""

    async def approve(request: Request) -> Response:
        identity = request.query_params["request"]
        if "refuse" in request.query_params:
            return RedirectResponse(await server.approvals.refuse(identity), 302)
        return RedirectResponse(await server.approvals.allow(identity, ANNA), 302)

    return [Route("/approve", approve)]


def resource(url: str, verifier: TokenVerifier) -> list[Route]:
    """As much of a protected resource as clients need in order to begin, and to see that they are in."""

    async def mcp(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        access = await verifier.verify(token) if token else None
        if access is None:
            where = f"{url}/.well-known/oauth-protected-resource/mcp"
            return Response(
                status_code=401, headers={"www-authenticate": f'Bearer resource_metadata="{where}", scope="read"'}
            )
        return JSONResponse({"subject": access.subject, "client": access.client, "scopes": sorted(access.scopes)})

    async def metadata(_: Request) -> Response:
        said = {"resource": f"{url}/mcp", "authorization_servers": [url], "scopes_supported": ["read", "write"]}
        return JSONResponse({**said, "bearer_methods_supported": ["header"]})

    return [
        Route("/mcp", mcp, methods=["GET", "POST"]),
        Route("/.well-known/oauth-protected-resource/mcp", metadata),
        Route("/.well-known/oauth-protected-resource", metadata),
    ]


def free_socket() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


@contextmanager
def house(
    store: Store | None = None,
    *,
    clock: Clock | None = None,
    known: Sequence[Client] = (),
    http: ClientFactory = plain_client,
    resolve: Resolve = look_up,
    make: Callable[[ServerOptions, Store], Any] | None = None,
    **options: Any,
) -> Generator[House]:
    """An authorization server that listens until the context ends."""
    clock = clock or Clock(time.time())
    store = store or MemoryStore(clock=clock)
    with free_socket() as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        given: dict[str, Any] = {
            "rate": "10000/minute",
            "registration_rate": "10000/minute",
            "public_url": url,
            **options,
        }
        decided = ServerOptions(**given)
        if make is not None:
            server: Any = make(decided, store)
        else:
            server = AuthorizationServer(
                decided, store, page=page, known=known, clock=clock, http=http, resolve=resolve
            )

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncGenerator[None]:
            await store.open()
            yield
            await store.close()

        extra = pages(server) if isinstance(server, AuthorizationServer) else server.pages
        app = Starlette(
            routes=[*server.routes, *extra, *resource(url, server.verifier)],
            lifespan=lifespan,
            middleware=[Middleware(ClientAddress, trusted=["127.0.0.1"])],
        )
        app.router.redirect_slashes = False
        with listens(app, listening) as loop:
            yield House(url, server, store, clock, loop)


@contextmanager
def listens(app: Any, listening: socket.socket, **options: Any) -> Generator[asyncio.AbstractEventLoop]:
    """An application on a socket, in a thread with a loop of its own."""
    running = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level=None, lifespan="on", **options))
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def main() -> None:
        task = asyncio.create_task(running.serve(sockets=[listening]))
        while not running.started and not task.done():  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.005)
        ready.set()
        await task

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield loop
    finally:
        running.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()
        loop.close()


@dataclass
class Flow:
    """One client on its way to a token, which does everything right unless it is told otherwise."""

    house: House
    http: httpx2.Client
    client_id: str = ""
    redirect_uri: str = CLAUDE[0]
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = "the state"

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def register(self, **metadata: Any) -> dict[str, Any]:
        said = {"redirect_uris": [self.redirect_uri], "token_endpoint_auth_method": "none", "client_name": "Claude"}
        answer = self.http.post("/register", json={**said, **metadata})
        assert answer.status_code == 201, answer.text
        self.client_id = answer.json()["client_id"]
        return answer.json()

    def asks(self, **changes: str | None) -> dict[str, str]:
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            "state": self.state,
            "scope": "read",
            "resource": f"{self.house.url}/mcp",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def authorize(self, **changes: str | None) -> httpx2.Response:
        return self.http.get("/authorize", params=self.asks(**changes))

    def come_back(self, **changes: str | None) -> dict[str, str]:
        """What the client finds in the address to which the browser is sent in the end."""
        answer = self.authorize(**changes)
        assert answer.status_code == 302, answer.text
        answer = self.http.get(answer.headers["location"])
        assert answer.status_code == 302, answer.text
        return sent_back(answer)

    def code(self, **changes: str | None) -> str:
        return self.come_back(**changes)["code"]

    def redeem(self, code: str, **changes: Any) -> httpx2.Response:
        said: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            "resource": f"{self.house.url}/mcp",
            **changes,
        }
        return self.token(said)

    def refresh(self, token: str, **changes: Any) -> httpx2.Response:
        return self.token(
            {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id, **changes}
        )

    def token(self, said: dict[str, Any], **options: Any) -> httpx2.Response:
        return self.http.post(
            "/token", data={name: value for name, value in said.items() if value is not None}, **options
        )

    def tokens(self, **changes: str | None) -> dict[str, Any]:
        """The whole way."""
        answer = self.redeem(self.code(**changes))
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def flow(house: House, **options: Any) -> Generator[Flow]:
    """A client that has registered."""
    with house.client() as http:
        found = Flow(house, http, **options)
        if not found.client_id:
            found.register()
        yield found


def leads_to(answer: httpx2.Response) -> str:
    """The address to which an answer sends, or to which the one link on its page leads."""
    if answer.is_redirect:
        return answer.headers["location"]
    [link] = re.findall(r'href="([^"]*)"', answer.text)
    return unescape(link)


def sent_back(answer: httpx2.Response) -> dict[str, str]:
    """The parameters in the address to which an answer sends, each of which is there once."""
    query = urlsplit(leads_to(answer)).query
    assert all(len(values) == 1 for values in parse_qs(query).values())
    return dict(parse_qsl(query))

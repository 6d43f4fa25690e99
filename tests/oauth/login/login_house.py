"""The sign-in pages behind a real uvicorn, as the house puts them together, and an authorization server in memory."""

from __future__ import annotations

import asyncio
import http.client
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2
import uvicorn
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mcp_server.guards.addresses import ClientAddress
from mcp_server.guards.bodies import BodyGuard
from mcp_server.guards.origin import OriginGuard
from mcp_server.oauth.approvals import NotPending, Pending, Person
from mcp_server.oauth.login.ambient import AutoApproval
from mcp_server.oauth.login.app import Login, Way
from mcp_server.oauth.login.locker import Locker
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.passwords import Passwords
from mcp_server.oauth.login.users import Users
from mcp_server.stores.memory import MemoryStore

PATIENCE = 30.0
PASSWORD = "correct horse battery"
ISSUER = "https://mcp.example.com"
TOTP_KEY = "a-key-for-one-time-codes-of-the-tests"


class MemoryApprovals:
    """What the authorization server does for the pages, in memory."""

    def __init__(self) -> None:
        self.waiting: dict[str, Pending] = {}
        self.allowed: list[tuple[Pending, Person, tuple[str, ...]]] = []
        self.refused: list[Pending] = []

    def ask(self, **about: Any) -> Pending:
        """A request that waits, as a client would have made it."""
        about = {
            "client_id": "https://claude.ai/oauth/client.json",
            "client_name": "Claude",
            "client_uri": "https://claude.ai",
            "known_by": "document",
            "redirect_uri": "https://claude.ai/api/mcp/auth_callback",
            "scopes": ("items:read", "items:write"),
            "resource": "https://catalog.example.com/mcp",
            "expires": time.time() + 600,
            **about,
        }
        pending = Pending(id=secrets.token_urlsafe(32), **about)
        self.waiting[pending.id] = pending
        return pending

    async def pending(self, id: str) -> Pending:  # noqa: A002 - its name in the protocol
        found = self.waiting.get(id)
        if found is None or found.expires <= time.time():
            raise NotPending
        return found

    async def allow(self, id: str, person: Person, scopes: tuple[str, ...] | None = None) -> str:  # noqa: A002 - likewise
        pending = self._take(id)
        self.allowed.append((pending, person, pending.scopes if scopes is None else scopes))
        return _answer(pending, code=f"code-of-{person.subject}")

    async def refuse(self, id: str) -> str:  # noqa: A002 - likewise
        pending = self._take(id)
        self.refused.append(pending)
        return _answer(pending, error="access_denied")

    def _take(self, identity: str) -> Pending:
        found = self.waiting.pop(identity, None)
        if found is None or found.expires <= time.time():
            raise NotPending
        return found


def _answer(pending: Pending, **said: str) -> str:
    return f"{pending.redirect_uri}?{urlencode({**said, 'state': 'of-the-client', 'iss': ISSUER})}"


@dataclass(frozen=True)
class House:
    """A server with the pages."""

    url: str
    approvals: MemoryApprovals
    store: MemoryStore
    login: Login

    def page(self, pending: Pending) -> str:
        return self.login.page(pending.id)

    def raw(self, path: str, *headers: tuple[str, str]) -> tuple[int, str]:
        """The status and everything else of an answer to a request with headers that clients refuse to send."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), PATIENCE)
        try:
            connection.putrequest("GET", path, skip_host=any(name == "Host" for name, _ in headers))
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, f"{answer.getheaders()}{answer.read().decode()}"
        finally:
            connection.close()


def quick_users(store: MemoryStore, clock: Callable[[], float] = time.time) -> Users:
    """Accounts whose passwords cost nothing to check."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return Users(store, Passwords(hasher), Locker([TOTP_KEY]), clock=clock)


@contextmanager
def house(
    way: Way | type[AutoApproval] | None = None,
    *,
    users: Mapping[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
    trusted: Sequence[str] = ("127.0.0.1/32",),
    clock: Callable[[], float] = time.time,
    host: str = "127.0.0.1",
    **options: Any,
) -> Generator[House]:
    """A server with the pages, until the context ends."""
    store, approvals = MemoryStore(clock=clock), MemoryApprovals()
    asyncio.run(store.open())
    for name, password in (users or {"anna": PASSWORD}).items():
        assert asyncio.run(quick_users(store).add(name, password, name.title()))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"{'https' if tls else 'http'}://{host}:{listening.getsockname()[1]}"
    said: dict[str, Any] = {"public_url": url, "server_name": "Catalogue", **options}
    decided = LoginOptions(**said)
    made = quick_users(store, clock) if way is None else way(decided) if isinstance(way, type) else way
    login = Login(approvals, store, made, decided, clock=clock)
    app = Starlette(
        routes=login.routes,
        middleware=[
            Middleware(ClientAddress, trusted=trusted),
            Middleware(OriginGuard, hosts=[urlsplit(decided.public_url).netloc]),
            Middleware(BodyGuard, max_bytes=4 * 1024 * 1024),
        ],
    )
    with running(app, listening, tls):
        yield House(url, approvals, store, login)


@contextmanager
def running(
    app: ASGIApp, listening: socket.socket | None = None, tls: tuple[Path, Path] | None = None
) -> Generator[str]:
    """An application behind uvicorn in a thread, at a port of this machine."""
    if listening is None:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
    listening.listen(128)  # so that nobody is turned away before the thread has begun
    port: int = listening.getsockname()[1]
    files: dict[str, Any] = {"ssl_certfile": str(tls[0]), "ssl_keyfile": str(tls[1])} if tls else {}
    config = uvicorn.Config(
        app,
        log_level="critical",
        proxy_headers=False,
        lifespan="off",
        loop="asyncio",
        timeout_graceful_shutdown=1,
        **files,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@dataclass
class FoundForm:
    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str])


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[FoundForm] = []
        self.links: list[str] = []
        self.refresh: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(FoundForm(said["action"]))
        elif tag == "input" and said.get("type") != "checkbox" and self.forms:
            self.forms[-1].fields[said["name"]] = said.get("value", "")
        elif tag == "a":
            self.links.append(said["href"])
        elif tag == "meta" and said.get("http-equiv") == "refresh":
            self.refresh = said["content"].partition("url=")[2]


@dataclass
class Seen:
    """A page, as a browser has it."""

    response: httpx2.Response
    forms: list[FoundForm]
    links: list[str]
    refresh: str | None

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        return self.response.text

    @property
    def headers(self) -> httpx2.Headers:
        return self.response.headers

    @property
    def url(self) -> str:
        return str(self.response.url)

    @property
    def sent_to(self) -> dict[str, str]:
        """The parameters with which the browser leaves for the client."""
        assert self.refresh is not None, self.text
        return {name: values[0] for name, values in parse_qs(urlsplit(self.refresh).query).items()}

    def form(self, action: str) -> FoundForm:
        return next(form for form in self.forms if urlsplit(form.action).path == action)


class Browser:
    """A browser without a screen: it keeps cookies, follows redirects and says where a form came from."""

    def __init__(
        self,
        *,
        verify: bool | ssl.SSLContext = True,
        follow: bool = True,
        transport: httpx2.BaseTransport | None = None,
        **headers: str,
    ) -> None:
        sent = {"accept": "text/html,application/xhtml+xml", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.client = httpx2.Client(
            follow_redirects=follow, timeout=PATIENCE, headers=sent, verify=verify, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, url: str, **headers: str) -> Seen:
        return self._seen(self.client.get(url, headers={k.replace("_", "-"): v for k, v in headers.items()}))

    def post(self, url: str, fields: Mapping[str, str], **headers: str | None) -> Seen:
        parts = urlsplit(url)
        own = {"origin": f"{parts.scheme}://{parts.netloc}", "sec-fetch-site": "same-origin"}
        said = {**own, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent = {name: value for name, value in said.items() if value is not None}
        return self._seen(self.client.post(url, data=dict(fields), headers=sent))

    def submit(self, page: Seen, action: str, **typed: str) -> Seen:
        form = page.form(action)
        return self.post(urljoin(page.url, form.action), {**form.fields, **typed})

    def sign_in(self, house: House, pending: Pending, name: str = "anna", password: str = PASSWORD) -> Seen:
        """Up to the page that asks."""
        return self.submit(self.get(house.page(pending)), "/auth/login", name=name, password=password)

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.client.cookies.jar}

    def _seen(self, response: httpx2.Response) -> Seen:
        parser = _Forms()
        if "html" in response.headers.get("content-type", ""):
            parser.feed(response.text)
        return Seen(response, parser.forms, parser.links, parser.refresh)


def client_site() -> tuple[Starlette, list[dict[str, str]]]:
    """The site of a client, and what it was told; it sends the browser on once, to another host, as clients do."""
    told: list[dict[str, str]] = []

    async def callback(request: Request) -> Response:
        told.append({**request.query_params, "referer": request.headers.get("referer", "")})
        port = request.url.port
        return RedirectResponse(f"http://127.0.0.1:{port}/done", 302)

    async def done(_: Request) -> Response:
        return HTMLResponse("<title>The client</title><h1>Connected</h1>")

    return Starlette(routes=[Route("/callback", callback), Route("/done", done)]), told


def altered(pending: Pending, **fields: Any) -> Pending:
    return replace(pending, **fields)

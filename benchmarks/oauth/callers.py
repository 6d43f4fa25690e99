"""Those who ask: a client and the browser of a person, in the process of the server and without a socket.

They do what real ones do, step by step, and look at every answer. What an application has used of the CPU until it has
answered is counted here, so that the work of the callers themselves can be told from it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Scope

from benchmarks.load import WrongAnswer
from benchmarks.oauth.clock import cpu
from benchmarks.questions import MODERN

ORIGIN: Final = "https://mcp.example.com"
BACK: Final = "https://client.example.com/callback"
PASSWORD: Final = "correct horse battery"

_HOST: Final = urlsplit(ORIGIN).netloc
_FORM: Final = "application/x-www-form-urlencoded"
_FIELD: Final = re.compile(r'name="csrf" value="([^"]*)"')
_LEAVES_FOR: Final = re.compile(r'http-equiv="refresh" content="0;url=([^"]*)"')
_CALL: Final[dict[str, Any]] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "who",
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
_CALL_BODY: Final = json.dumps(_CALL).encode()
_CALL_HEADERS: Final = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": MODERN,
    "mcp-method": "tools/call",
    "mcp-name": "who",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A request, ready to be put to an application."""

    scope: Scope
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and the nanoseconds of CPU that it took."""

    status: int
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    """Those that it sets; one that it clears is empty."""
    body: bytes
    cpu: int

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def expect(self, status: int) -> Reply:
        """The same reply; raises `WrongAnswer` if it is another one."""
        if self.status != status:
            raise WrongAnswer(f"{self.status} and not {status}: {self.text[:500]}")
        return self


def question(
    method: str, target: str, headers: Mapping[str, str], body: bytes = b"", address: str = "127.0.0.1"
) -> Question:
    """A request as a server would hand it on."""
    path, _, query = target.partition("?")
    sent = {"host": _HOST, "user-agent": "benchmark", **headers}
    if body:
        sent["content-length"] = str(len(body))
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
        "client": (address, 4711),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    return Question(scope, body)


async def put(app: ASGIApp, asked: Question) -> Reply:
    """Ask, and wait for the whole answer."""
    said = [{"type": "http.request", "body": asked.body, "more_body": False}]
    started: list[Message] = []
    chunks: list[bytes] = []

    async def receive() -> Message:
        return said.pop() if said else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            chunks.append(message.get("body", b""))

    began = cpu()
    await app(asked.scope, receive, send)
    taken = cpu() - began
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in started[0]["headers"]]
    pairs = [value.partition(";")[0].partition("=") for name, value in headers if name == "set-cookie"]
    cookies = {name: value for name, _, value in pairs}
    return Reply(started[0]["status"], dict(headers), cookies, b"".join(chunks), taken)


def call_with(bearer: str, address: str = "127.0.0.1") -> Question:
    """A call of the tool that says who calls."""
    return question("POST", "/mcp", {**_CALL_HEADERS, "authorization": f"Bearer {bearer}"}, _CALL_BODY, address=address)


@dataclass
class Steps:
    """The CPU that each kind of step has taken, in nanoseconds."""

    taken: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def note(self, name: str, reply: Reply) -> Reply:
        self.taken.setdefault(name, []).append(reply.cpu)
        return reply


@dataclass
class Person:
    """Somebody with an account and a browser."""

    app: ASGIApp
    name: str
    steps: Steps
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    async def sign_in(self, path: str) -> Reply:
        """From the page that asks to the session, by name and password."""
        target = (await self._get(path)).expect(303).headers["location"]
        page = (await self._get(target)).expect(200)
        typed = {**_hidden(page), "request": _request_in(target), "name": self.name, "password": PASSWORD}
        return self.steps.note("sign-in", (await self._post("/auth/login", typed)).expect(303))

    async def allow(self, path: str) -> dict[str, str]:
        """Look at what is asked, and allow it: what the client finds in the address to which the browser is sent."""
        page = self.steps.note("consent page", (await self._get(path)).expect(200))
        decided = {**_hidden(page), "request": _request_in(path), "decision": "allow"}
        answer = self.steps.note("decision", (await self._post("/auth/consent", decided)).expect(200))
        found = _LEAVES_FOR.search(answer.text)
        if found is None:
            raise WrongAnswer(answer.text)
        return {name: values[0] for name, values in parse_qs(urlsplit(html.unescape(found[1])).query).items()}

    async def _get(self, target: str) -> Reply:
        return await self._ask(question("GET", target, self._headers))

    async def _post(self, path: str, fields: Mapping[str, str]) -> Reply:
        own = {"origin": ORIGIN, "sec-fetch-site": "same-origin", "content-type": _FORM}
        return await self._ask(question("POST", path, {**self._headers, **own}, urlencode(fields).encode()))

    @property
    def _headers(self) -> dict[str, str]:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)
        return {"accept": "text/html", **({"cookie": kept} if kept else {})}

    async def _ask(self, asked: Question) -> Reply:
        reply = await put(self.app, asked)
        self.cookies.update(reply.cookies)
        return reply


@dataclass
class Program:
    """A client: it registers, sends a browser, and comes for tokens."""

    app: ASGIApp
    steps: Steps
    id: str = ""

    async def register(self) -> None:
        said = {"client_name": "A client", "redirect_uris": [BACK], "token_endpoint_auth_method": "none"}
        asked = question("POST", "/register", {"content-type": "application/json"}, json.dumps(said).encode())
        self.id = self.steps.note("register", (await put(self.app, asked)).expect(201)).json["client_id"]

    async def begin(self, verifier: str, state: str) -> str:
        """The path of the page to which the browser is sent."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        said = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": BACK,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": state,
            "scope": "read",
            "resource": f"{ORIGIN}/mcp",
        }
        asked = question("GET", f"/authorize?{urlencode(said)}", {"accept": "text/html"})
        answer = self.steps.note("authorize", (await put(self.app, asked)).expect(302))
        return answer.headers["location"].removeprefix(ORIGIN)

    async def redeem(self, code: str, verifier: str) -> dict[str, Any]:
        said = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}
        return (await self._token("token", said)).json

    async def refresh(self, token: str) -> dict[str, Any]:
        return (await self._token("refresh", {"grant_type": "refresh_token", "refresh_token": token})).json

    async def revoke(self, token: str) -> None:
        await self._token("revoke", {"token": token}, "/revoke")

    async def _token(self, step: str, said: Mapping[str, str], path: str = "/token") -> Reply:
        body = urlencode({**said, "client_id": self.id}).encode()
        reply = await put(self.app, question("POST", path, {"content-type": _FORM}, body))
        return self.steps.note(step, reply.expect(200))


@dataclass(frozen=True, slots=True)
class Login:
    """What has come of a login."""

    program: Program
    person: Person
    access: tuple[str, ...]
    """Every access token, the newest last."""
    refresh: str


async def login(program: Program, person: Person, *, refreshes: bool) -> Login:
    """Authorize with PKCE, consent, redeem the code, and perhaps refresh once; the person is signed in already."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_hex(8)
    came_back = await person.allow(await program.begin(verifier, state))
    if came_back["state"] != state or came_back["iss"] != ORIGIN:
        raise WrongAnswer(str(sorted(came_back)))
    first = await program.redeem(came_back["code"], verifier)
    if not refreshes:
        return Login(program, person, (first["access_token"],), first["refresh_token"])
    fresh = await program.refresh(first["refresh_token"])
    return Login(program, person, (first["access_token"], fresh["access_token"]), fresh["refresh_token"])


def _hidden(page: Reply) -> dict[str, str]:
    found = _FIELD.search(page.text)
    if found is None:
        raise WrongAnswer(page.text)
    return {"csrf": found[1]}


def _request_in(target: str) -> str:
    return parse_qs(urlsplit(target).query)["request"][0]

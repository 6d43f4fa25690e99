"""An issuer of tokens: real keys, behind a real HTTP server, that can be made to behave badly."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import time
from collections.abc import Generator
from typing import Any, Final
from urllib.parse import parse_qs

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from starlette.types import Receive, Scope, Send

PATIENCE: Final = 30.0
ASKED_BY: Final = ("the server", "s3cret/with+signs")
AUDIENCE: Final = "https://api.example.com/mcp"

_ALGORITHMS: Final = {
    "rsa": jwt.get_algorithm_by_name("RS256"),
    "p256": jwt.get_algorithm_by_name("ES256"),
    "p384": jwt.get_algorithm_by_name("ES384"),
    "p521": jwt.get_algorithm_by_name("ES512"),
    "ed": jwt.get_algorithm_by_name("EdDSA"),
}


class Office:
    """Issues tokens and publishes its keys. `asked` are the paths of the requests that have come."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, Any] = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "p256": ec.generate_private_key(ec.SECP256R1()),
            "p384": ec.generate_private_key(ec.SECP384R1()),
            "p521": ec.generate_private_key(ec.SECP521R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
        self.small = rsa.generate_private_key(65537, 1024)
        self.other = rsa.generate_private_key(65537, 2048)
        self.start_anew()

    def start_anew(self) -> None:
        """Behave well again."""
        self.asked: list[str] = []
        self.published: list[dict[str, Any]] = [self.public(kind, kid=kind) for kind in self.keys]
        self.document: bytes | None = None
        self.metadata: dict[str, Any] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        """What is at further addresses."""
        self.oidc = True
        self.misbehaviour = ""
        self.cache_control = "max-age=300"
        self.opaque: dict[str, dict[str, Any]] = {}
        self.forms: list[dict[str, str]] = []

    def public(self, kind: str, **more: Any) -> dict[str, Any]:
        """A public key, as it is published."""
        return {**json.loads(_ALGORITHMS[kind].to_jwk(self.keys[kind].public_key())), "use": "sig", **more}

    def claims(self, **claims: Any) -> dict[str, Any]:
        """What a good token says; None takes something away."""
        now = int(time.time())
        usual: dict[str, Any] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "anna",
            "client_id": "claude",
            "iat": now,
            "exp": now + 300,
            "scope": "items:read",
        }
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}

    def issue(
        self, alg: str = "RS256", kind: str = "rsa", *, kid: str | None = "", headers: Any = None, **claims: Any
    ) -> str:
        """A token of a person."""
        head: dict[str, Any] = {"kid": kid or kind, **(headers or {})}
        if kid is None:
            del head["kid"]
        return jwt.PyJWS().encode(json.dumps(self.claims(**claims)).encode(), self.keys[kind], alg, headers=head)

    def pem(self, kind: str = "rsa") -> bytes:
        """A public key in the form in which it is handed around."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.keys[kind].public_key().public_bytes(serialization.Encoding.PEM, form)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        self.asked.append(path)
        body = (await receive()).get("body", b"")
        status, answer, headers = self._answer(path, dict(scope["headers"]), body)
        raw = [(b"content-type", b"application/json"), *headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        if self.misbehaviour == "slow" and path == "/jwks":
            # Never so long that a single byte would be missed, and longer than anybody waits for all of them.
            while self.misbehaviour == "slow":
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.sleep(0.02)
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, path: str, headers: dict[bytes, bytes], body: bytes) -> tuple[int, bytes, Any]:
        if self.misbehaviour == "down":
            return 503, b"", []
        if path in self.documents:
            return 200, json.dumps(self.documents[path]).encode(), []
        if path == "/.well-known/openid-configuration" if self.oidc else path.startswith("/.well-known/oauth-"):
            return 200, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **self.metadata}).encode(), []
        if path == "/introspect":
            return self._introspected(headers, body)
        if path not in {"/jwks", "/elsewhere"}:
            return 404, b"{}", []
        if self.misbehaviour == "redirect" and path == "/jwks":
            return 302, b"", [(b"location", f"{self.url}/elsewhere".encode())]
        padding = " " * (1024 * 1024) if self.misbehaviour == "huge" else ""
        document = (json.dumps({"keys": self.published}) + padding).encode() if self.document is None else self.document
        return 200, document, [(b"cache-control", self.cache_control.encode())]

    def _introspected(self, headers: dict[bytes, bytes], body: bytes) -> tuple[int, bytes, Any]:
        identity = b"Basic " + base64.b64encode(b"the+server:s3cret%2Fwith%2Bsigns")
        if headers.get(b"authorization") != identity:
            return 401, b"{}", []
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.forms.append(form)
        known = self.opaque.get(form["token"])
        return 200, json.dumps({"active": False} if known is None else {"active": True, **known}).encode(), []


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextlib.contextmanager
def opened() -> Generator[Office]:
    """An office that listens, until the context ends."""
    office = Office()
    config = uvicorn.Config(office, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert server.listening.wait(PATIENCE)
    office.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    office.start_anew()
    try:
        yield office
    finally:
        office.misbehaviour = ""
        server.should_exit = True
        thread.join(PATIENCE)

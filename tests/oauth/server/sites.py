"""Sites of other people on this machine, over real HTTPS, under whatever name a test gives them."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from issuing import free_socket, listens

NAME = "client.example"


class Page(NamedTuple):
    """What is answered."""

    status: int
    headers: dict[str, str]
    body: bytes


MISSING = Page(404, {}, b"{}")


@dataclass
class Site:
    """A site and what it has been asked."""

    port: int
    trust: ssl.SSLContext
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The `Host` and the path of each request."""
    pages: dict[str, Any] = field(default_factory=dict[str, Any])
    """By path: JSON, a `Page`, or what sends one."""
    looked_up: list[str] = field(default_factory=list[str])
    addresses: Sequence[str] = ("127.0.0.1",)
    wait: asyncio.Event | None = None

    def url(self, path: str = "/client.json") -> str:
        return f"https://{NAME}:{self.port}{path}"

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        return self.addresses

    def http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(trust_env=False, verify=self.trust)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.asked.append((dict(scope["headers"])[b"host"].decode(), scope["path"]))
        found: Any = self.pages.get(scope["path"], MISSING)
        if callable(found):
            sends: Any = found
            await sends(receive, send)
            return
        status, headers, body = found if isinstance(found, Page) else Page(200, {}, json.dumps(found).encode())
        sent = {"content-type": "application/json", **headers}
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def site(directory: Path) -> Generator[Site]:
    """A site with a certificate for `client.example` that only its own context believes."""
    certificate, key = directory / "site.pem", directory / "site.key"
    _certify(certificate, key)
    trust = ssl.create_default_context(cafile=str(certificate))
    with free_socket() as listening:
        found = Site(listening.getsockname()[1], trust)
        with listens(found, listening, ssl_certfile=str(certificate), ssl_keyfile=str(key)):
            yield found


def endless(kind: str, chunk: bytes) -> Callable[[Any, Any], Any]:
    """A page that goes on until nobody listens."""

    async def page(receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_gone(receive))
        while not gone.done():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)

    return page


async def never(receive: Any, send: Any) -> None:
    """A page that says nothing."""
    await _gone(receive)


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _certify(certificate: Path, key: Path) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )

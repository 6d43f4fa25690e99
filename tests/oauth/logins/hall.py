"""`main_http.py` with a login, as an operator sets it up, and what an operator does to it meanwhile."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mcp_server.oauth.login.sessions import SESSION, forget
from mcp_server.oauth.server.grant import read, written
from mcp_server.oauth.server.grants import KIND
from mcp_server.stores import Store, open_store
from tests.certificates import self_signed
from tests.served import PATIENCE, ROOT, Site, free_port, served

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Hall:
    """A server to which people sign in."""

    site: Site
    store: str
    secret: str
    """What the authenticator app of `tina` knows."""
    tls: tuple[Path, Path]
    """A certificate for this machine that the server believes, and its key."""
    scheme: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.site.port}/mcp"

    def command(self, *words: str, given: str = "") -> str:
        """What the operator's command prints."""
        return _command(self.store, *words, given=given)

    def let_tokens_expire(self, subject: str) -> None:
        """An hour later, as far as the access tokens of somebody are concerned."""
        asyncio.run(_expire(self.store, subject))

    def let_sessions_expire(self, subject: str) -> None:
        """Eight hours later, as far as the browsers of somebody are concerned."""
        asyncio.run(_end_sessions(self.store, subject))


TOTP_KEY = "a-key-for-one-time-codes-of-the-tests"


@contextmanager
def hall(directory: Path, *people: str, scheme: str = "http") -> Generator[Hall]:
    """A server with accounts for these people, all with the same password; `tina` signs in with a code as well."""
    store = f"sqlite:///{directory / 'store.db'}"
    for name in people:
        _command(store, "users", "add", name, "--shown", f"{name.title()} Example", "--password-stdin", given=PASSWORD)
    secret = _demand_codes(store, "tina") if "tina" in people else ""
    certificate, key = self_signed(directory, "localhost")
    port = str(free_port())
    settings = {
        "MCP_APP": "tests.oauth.who:server",
        "MCP_API_KEY": "",
        "OAUTH_ENABLED": "true",
        "PORT": port,
        "PUBLIC_URL": f"{scheme}://localhost:{port}",
        "STORE_URL": store,
        "OAUTH_TOTP_KEY": TOTP_KEY,
        # The documents of clients may be on this machine, behind this certificate.
        "OAUTH_LOOPBACK_DOCUMENTS": "true",
        "SSL_CERT_FILE": str(certificate),
        # So that what is revoked is refused at once, and tests are not counted.
        "OAUTH_REVOCATION_DELAY": "0",
        "OAUTH_RATE": "100000/minute",
        "OAUTH_REGISTRATION_RATE": "100000/minute",
        "RATE_LIMIT": "100000/minute",
    }
    if scheme == "https":
        settings |= {"SSL_CERT_PATH": str(certificate), "SSL_KEY_PATH": str(key)}
    with served(**settings) as site:
        yield Hall(site, store, secret, (certificate, key), scheme)


def _demand_codes(store: str, name: str) -> str:
    """What the authenticator app of somebody knows from now on."""
    shown = re.search(r"otpauth://\S+", _command(store, "users", "totp", name, "--unconfirmed"))
    assert shown is not None
    return parse_qs(urlsplit(shown[0]).query)["secret"][0]


def _command(store: str, *words: str, given: str = "") -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "mcp_server", *words],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "STORE_URL": store, "OAUTH_TOTP_KEY": TOTP_KEY},
        input=given, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@asynccontextmanager
async def _opened(url: str) -> AsyncGenerator[Store]:
    store = open_store(url)
    await store.open()
    yield store
    await store.close()


async def _end_sessions(url: str, subject: str) -> None:
    async with _opened(url) as store:
        assert await forget(store, subject, [SESSION])


async def _expire(url: str, subject: str) -> None:
    async with _opened(url) as store:
        for record in await store.find(KIND, owner=subject):
            grant = read(record.value)
            late = replace(grant, access=tuple(replace(each, expires=0.0) for each in grant.access))
            assert await store.swap(KIND, record.key, record.value, written(late), lifetime=3600)

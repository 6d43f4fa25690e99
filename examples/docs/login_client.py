"""The official Python client signs in: a browser opens, and its answer comes back to this program.

python login_client.py https://mcp.example.com/mcp
"""

import asyncio
import sys
import threading
import time
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl


class Kept:
    """What the client keeps. Write it to a file that only you can read, and people sign in once."""

    client: OAuthClientInformationFull | None = None
    tokens: OAuthToken | None = None
    until: float | None = None

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens, self.until = tokens, time.time() + (tokens.expires_in or 0)


class SignInError(Exception):
    """The person did not agree, or the server could not; the text is the server's."""


class Loopback(ThreadingHTTPServer):
    """A port of this machine, to which the browser comes back."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.address = f"http://127.0.0.1:{self.server_port}/callback"
        self.answers = asyncio.Queue[dict[str, str]]()
        self.loop = asyncio.get_running_loop()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()

    async def open(self, url: str) -> None:
        await asyncio.to_thread(webbrowser.open, url)

    async def answer(self) -> AuthorizationCodeResult:
        found = await self.answers.get()
        if "error" in found:
            raise SignInError(found.get("error_description", found["error"]))
        return AuthorizationCodeResult(code=found["code"], state=found["state"], iss=found.get("iss"))


class Page(BaseHTTPRequestHandler):
    """What the browser is shown in the end."""

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if where.path == "/callback" and isinstance(self.server, Loopback):
            answers, found = self.server.answers, dict(parse_qsl(where.query))
            self.server.loop.call_soon_threadsafe(answers.put_nowait, found)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this page.")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the address has the code in it."""


def signing_in(url: str, kept: Kept, back: Loopback, **how: Any) -> OAuthClientProvider:
    about = OAuthClientMetadata(client_name="My client", redirect_uris=[AnyUrl(back.address)])
    auth = OAuthClientProvider(url, about, kept, back.open, back.answer, **how)
    # A provider does not keep this. Without it people sign in again, instead of a refresh, after each restart.
    auth.context.token_expiry_time = kept.until
    return auth


async def main(url: str) -> None:
    with Loopback() as back:
        async with (
            httpx2.AsyncClient(auth=signing_in(url, Kept(), back), timeout=30) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            print([tool.name for tool in (await client.list_tools()).tools])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

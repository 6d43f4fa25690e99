"""What goes wrong, in the words of the standards, and how it is told.

A `Fault` is raised where something is wrong; the endpoint decides how it travels: in a redirect, as JSON, or as a page.
No text repeats what was sent.
"""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, JSONResponse, Response

NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache", "x-content-type-options": "nosniff"}

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>This cannot be done</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1.25rem; }}
</style>
<h1>This cannot be done</h1>
<p>{why}</p>
<p>{further}</p>
</html>
"""
_START_AGAIN: Final = (
    "You were not sent back to the program that brought you here, because it could not be told who it is. Start again "
    "there; if this happens again, remove the connection there and add it anew."
)
_WAY_BACK: Final = (
    "The program that brought you here has asked for something that it cannot have. It is at <strong>{host}</strong>, "
    'which is not a part of this server. <a href="{address}" rel="noreferrer">Go back there</a> if you know it.'
)
_PAGE_HEADERS: Final = {
    **NO_STORE,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


class Fault(Exception):  # noqa: N818 - it is what the standards call an error
    """A request that is refused: `error` is the code of the standards, `says` is for the client's developer."""

    def __init__(self, error: str, says: str, status: int = 400) -> None:
        super().__init__(says)
        self.error = error
        self.says = says
        self.status = status


class Untellable(Exception):  # noqa: N818 - it is what has happened
    """An authorization request whose answer may not be sent anywhere: neither client nor address can be believed."""


def invalid_client(says: str = "The client is not known, or has not proved who it is.") -> Fault:
    """The fault that makes clients register anew."""
    return Fault("invalid_client", says, 401)


def unavailable() -> Fault:
    """The fault for which nobody but this server can do anything."""
    return Fault("temporarily_unavailable", "Try again in a moment.", 503)


def told(fault: Fault, *, challenge: bool = False) -> Response:
    """A fault as JSON (RFC 6749, 5.2); `challenge` if the client has used HTTP authentication."""
    headers = dict(NO_STORE)
    if fault.status == 401 and challenge:  # noqa: PLR2004 - RFC 6749 asks for it there
        headers["www-authenticate"] = 'Basic realm="mcp"'
    if fault.status in {429, 503}:
        headers["retry-after"] = "5" if fault.status == 503 else "60"  # noqa: PLR2004
    return JSONResponse({"error": fault.error, "error_description": fault.says}, fault.status, headers)


def page(why: str, status: int = 400) -> Response:
    """What a person reads who cannot be sent anywhere."""
    return HTMLResponse(_PAGE.format(why=escape(why), further=_START_AGAIN), status, _PAGE_HEADERS)


def way_back(why: str, address: str) -> Response:
    """What a person reads who decides for themselves whether to go back to a site."""
    host = urlsplit(address).netloc
    further = _WAY_BACK.format(host=escape(host), address=escape(address))
    return HTMLResponse(_PAGE.format(why=escape(why), further=further), 400, _PAGE_HEADERS)

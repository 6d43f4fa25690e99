"""What strangers call themselves, made fit to be shown. Pure.

A client's name is chosen by whoever registered it. It must not look like part of the page, run backwards, hide letters
or push the rest away; so it loses every character without a shape and is cut. Escaping for HTML is not done here.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from mcp_server.settings.meanings import is_loopback

LONGEST_NAME: Final = 60
LONGEST_ADDRESS: Final = 200
_MOST_MARKS: Final = 2
"""How many accents a letter may wear; more of them climb over the lines around."""
_SHAPELESS: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters, as Unicode has it, which look like nothing."""


def clean(text: str, longest: int = LONGEST_NAME) -> str:
    """One line of text that stays where it is put: no controls, no change of direction, not longer than that."""
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text[: longest * 8]):
        category = unicodedata.category(character)
        if category in _SHAPELESS or character in _BLANK:
            if character in "\t\n\r\v\f\u2028\u2029":
                kept.append(" ")
            continue
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def host_shown(url: str) -> str:
    """The host of an address in ASCII, so that no letter of another alphabet can pass for one of ours; or nothing."""
    try:
        host = urlsplit(url).hostname or ""
        return clean(host.encode("idna").decode("ascii") if not host.isascii() else host, LONGEST_ADDRESS)
    except (ValueError, UnicodeError):
        return ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the browser goes after the decision."""

    kind: Literal["site", "this-machine", "app"]
    name: str
    """The host, or the scheme that an app has claimed."""
    address: str
    """The whole of it, as far as it can be shown."""


def destination(redirect_uri: str) -> Destination:
    """What a redirect URI means to a person."""
    address = clean(redirect_uri.partition("?")[0], LONGEST_ADDRESS)
    try:
        parts = urlsplit(redirect_uri)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return Destination("app", "an address that cannot be read", address)
    if parts.scheme not in {"http", "https"}:
        return Destination("app", clean(f"{parts.scheme}:"), address)
    host = host_shown(redirect_uri)
    host = f"[{host}]" if ":" in host else host
    return Destination("this-machine" if is_loopback(host) else "site", f"{host}{port}", address)

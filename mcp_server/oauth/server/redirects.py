"""Where a browser may be sent: which addresses a client may name, and when one is the one it has named.

Comparison is by the letter. There is one exception, by RFC 8252: a program on the person's own machine listens on
whatever port is free, so for `http` on 127.0.0.1, [::1] or localhost the port does not count. Nothing is normalised:
what a parser would have to be asked about is refused when it is registered.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

LONGEST: Final = 2000

_LOOPBACK: Final = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?(?=[/?]|\Z)(.*)", re.ASCII)
_HTTPS: Final = re.compile(
    r"https://(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?::[0-9]{1,5})?(?:[/?].*)?"
)
_HTTPS_ADDRESS: Final = re.compile(r"https://\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?(?:[/?].*)?")
_PRIVATE: Final = re.compile(r"[a-z][a-z0-9+.-]+:/{0,3}[A-Za-z0-9._~?%=&+-][A-Za-z0-9._~/?%=&+-]*")
_SENDABLE: Final = re.compile(r"[!#-;=?-\[\]_a-z~%]+")
"""The ASCII characters that may stand in a URI. Without space, quotes, < > \\ ^ ` { | }, and above all line breaks."""

_ACTIVE: Final = frozenset(
    (
        *("about", "acap", "afp", "android-app", "blob", "callto", "chrome", "chrome-extension", "cid", "data", "dav"),
        *("davs", "facetime", "facetime-audio", "feed", "file", "filesystem", "ftp", "ftps", "git", "gopher", "hcp"),
        *("help", "http", "https", "imap", "intent", "irc", "ircs", "itms-apps", "itms-services", "its", "jar", "java"),
        *("javascript", "ldap", "ldaps", "livescript", "magnet", "mailto", "market", "mhtml", "mid", "mk", "mms"),
        *("mocha", "moz-extension", "news", "nfs", "nntp", "pop", "rdp", "res", "resource", "rlogin", "rtsp", "search"),
        *("search-ms", "sftp", "shell", "sip", "sips", "smb", "sms", "snews", "ssh", "tel", "telnet", "tn3270"),
        *("vbscript", "view-source", "vnc", "wais", "webcal", "ws", "wss", "wyciwyg", "xmpp"),
    )
)
"""Schemes that a browser or a system acts on by itself, so that no program can be meant by them."""
_OF_SYSTEMS: Final = ("ms-", "x-apple")
"""How those begin that belong to a system; several of them have run what an address told them to."""


def fault_in(uri: str) -> str | None:
    """Why a client may not register this address; None if it may."""
    if len(uri) > LONGEST or not _SENDABLE.fullmatch(uri):
        return "is too long, or has characters that an address cannot have"
    if "#" in uri:
        return "has a fragment"
    if "*" in uri:
        return "has a wildcard"
    scheme = uri.partition(":")[0].lower()
    if scheme == "https":
        return _fault_in_https(uri)
    if scheme == "http":
        return None if is_local(uri) and _port_is_one(uri) else "is http and not on this machine"
    return _fault_in_private(uri, scheme)


def is_local(uri: str) -> bool:
    """Whether an address is a program's own on the person's machine."""
    return _LOOPBACK.fullmatch(uri) is not None


def matches(registered: str, asked: str) -> bool:
    """Whether the address that was asked for is the one that was registered."""
    if registered == asked:
        return True
    known, found = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(asked)
    # Never by a parser: both have to be of the one form whose port is the program's own affair.
    return (
        known is not None
        and found is not None
        and (known[1], known[3]) == (found[1], found[3])
        and fault_in(asked) is None
    )


def with_answer(uri: str, **answer: str | None) -> str:
    """The address with an answer in its query; what it has there already stays as it is."""
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in answer.items() if value is not None)
    if "?" not in uri:
        return f"{uri}?{pairs}"
    return f"{uri}{'' if uri.endswith(('?', '&')) else '&'}{pairs}"


def _fault_in_https(uri: str) -> str | None:
    if "@" in uri.partition("//")[2].partition("/")[0].partition("?")[0]:
        return "has a user name in it"
    if not (_HTTPS.fullmatch(uri) or _HTTPS_ADDRESS.fullmatch(uri)) or not _port_is_one(uri):
        return "is not a well-formed https address"
    return None


def _fault_in_private(uri: str, scheme: str) -> str | None:
    if scheme in _ACTIVE or scheme.startswith(_OF_SYSTEMS) or not _PRIVATE.fullmatch(uri):
        return "has a scheme that is not a program's own"
    return None


def _port_is_one(uri: str) -> bool:
    try:
        return urlsplit(uri).port != 0
    except ValueError:
        return False

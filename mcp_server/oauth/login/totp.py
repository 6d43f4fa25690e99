"""One-time codes (RFC 6238, as every authenticator app makes them) and recovery codes. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from typing import Final
from urllib.parse import quote, urlencode

STEP: Final = 30
DIGITS: Final = 6
DRIFT: Final = 1
"""How many steps a clock may be ahead or behind."""
RECOVERY_CODES: Final = 8

_SECRET_BYTES: Final = 20
_RECOVERY_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_RECOVERY_LENGTH: Final = 16


def new_secret() -> str:
    """What the app and this server both know, in base32."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def uri(secret: str, name: str, issuer: str) -> str:
    """What an app reads, mostly as a QR code."""
    label = quote(f"{issuer}:{name}", safe="")
    query = urlencode({"secret": secret, "issuer": issuer, "digits": DIGITS, "period": STEP}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"


def code_at(secret: str, step: int) -> str:
    """The code of a step."""
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    at = mac[-1] & 0xF
    number = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(secret: str, code: str, now: float, *, after: int) -> int | None:
    """The step whose code this is, if it is near enough and later than `after`, whose code has been used."""
    current = int(now // STEP)
    found = None
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Codes for the day when the app is lost, each good once."""
    return ["-".join(_groups(_random_code())) for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> str:
    """How a recovery code is stored, however it was typed. It is random: no slow digest is needed."""
    plain = "".join(character for character in code.lower() if character in _RECOVERY_ALPHABET)
    return hashlib.sha256(plain.encode()).hexdigest()


def _random_code() -> str:
    return "".join(secrets.choice(_RECOVERY_ALPHABET) for _ in range(_RECOVERY_LENGTH))


def _groups(code: str) -> list[str]:
    return [code[at : at + 4] for at in range(0, len(code), 4)]

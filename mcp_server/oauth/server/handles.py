"""What this server hands out: codes and tokens, all of one form, all unguessable.

A handout is 128 hexadecimal characters. The first 32 lead to the grant, the rest is the secret; the two parts are made
independently. What is stored is a digest of each: `key_of` for the place, `digest` for the whole. Nothing in a store
opens anything.

A refresh token has one more part, `family`, which all refresh tokens of a grant share. By it a token that was used up
long ago is recognised without being remembered.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

_PLACE: Final = 32
_FAMILY: Final = 64
_LENGTH: Final = 128
_FORM: Final = re.compile(rf"[0-9a-f]{{{_LENGTH}}}")


def new_place() -> str:
    """The part that leads to a new grant."""
    return secrets.token_hex(_PLACE // 2)


def new_family() -> str:
    """The part that the refresh tokens of a grant share."""
    return secrets.token_hex((_FAMILY - _PLACE) // 2)


def new_handout(place: str, family: str = "") -> str:
    """A code or a token of a grant."""
    return place + family + secrets.token_hex((_LENGTH - _PLACE - len(family)) // 2)


def is_handout(text: str) -> bool:
    """Whether a text can be one of ours."""
    return _FORM.fullmatch(text) is not None


def place_of(handout: str) -> str:
    """The part that leads to the grant."""
    return handout[:_PLACE]


def family_of(handout: str) -> str:
    """The part that refresh tokens of a grant share."""
    return handout[_PLACE:_FAMILY]


def key_of(handout: str) -> str:
    """Under which key the grant is stored, to which a code or a token leads; may be shown to operators."""
    return digest(handout[:_PLACE])[:_PLACE]


def digest(text: str) -> str:
    """What is stored instead of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()

"""Secrets never leave: they are blotted out of whatever goes to a client.

A configured secret is looked for as it is, as JSON writes it (escaped, with and without non-ASCII characters) and
percent-encoded (as in a connection string). A search that finds nothing copies nothing, so the usual case costs a scan
at memory speed.

Not found: a secret that is encoded some other way (base64), cut in two, or escaped twice over; and one that nobody has
configured, unless it has a well-known shape and the author asks for `blot_out_keys`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

SHORTEST = 8
MASK = "[redacted]"

_KEYS: Final = re.compile(
    r"""\b(?:
        sk-[A-Za-z0-9_-]{20,}                                # OpenAI, Anthropic, and who does as they do
      | (?:AKIA|ASIA)[0-9A-Z]{16}                            # AWS
      | gh[pousr]_[A-Za-z0-9]{36,} | github_pat_\w{40,}      # GitHub
      | glpat-[\w-]{20,}                                     # GitLab
      | xox[abprs]-[\w-]{10,}                                # Slack
      | AIza[\w-]{35}                                        # Google
      | [rs]k_(?:live|test)_[0-9A-Za-z]{20,}                 # Stripe
      | eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}            # a signed token
    )
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----.*?-----END\ [A-Z\ ]*PRIVATE\ KEY-----""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def blot_out_keys(text: str) -> str:
    """The text without what has the shape of a well-known provider's key, of a signed token, or of a private key."""
    return _KEYS.sub(MASK, text)


class Redactor:
    """Blots out secrets of at least eight characters; shorter ones would blot out ordinary words.

    Args:
        secrets: the values to hide; empty and short ones are passed over.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        # The longest first: a secret may contain another.
        self._texts = sorted(forms, key=len, reverse=True)
        self._datas = [form.encode("utf-8", "surrogatepass") for form in self._texts]

    def text(self, text: str) -> str:
        """Clean a text."""
        for form in self._texts:
            text = text.replace(form, MASK)
        return text

    def data(self, data: bytes) -> bytes:
        """Clean encoded text, such as a serialised answer."""
        for form in self._datas:
            data = data.replace(form, MASK.encode())
        return data


def _forms(secret: str) -> set[str]:
    escaped = {json.dumps(secret, ensure_ascii=ensure)[1:-1] for ensure in (True, False)}
    return {secret, quote(secret, safe="", errors="surrogatepass"), *escaped}

"""Configured secrets never leave: they are blotted out of whatever goes to a client.

A secret is looked for as it is, as JSON writes it (escaped, with and without non-ASCII characters) and percent-encoded
(as in a connection string). A search that finds nothing copies nothing, so the usual case costs a scan at memory speed.

Not found: a secret that is encoded some other way (base64), cut in two, or escaped twice over. That is for the hook.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from urllib.parse import quote

SHORTEST = 8
MASK = "[redacted]"


class Redactor:
    """Blots out secrets of at least eight characters; shorter ones would blot out ordinary words.

    Args:
        secrets: the values to hide; empty and short ones are passed over.
        hook: a user's own redaction, applied to the text afterwards. If it raises, so does the redactor: text that
            could not be cleaned must not go out.
    """

    def __init__(self, secrets: Iterable[str], hook: Callable[[str], str] | None = None) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        # The longest first: a secret may contain another.
        self._texts = sorted(forms, key=len, reverse=True)
        self._datas = [form.encode("utf-8", "surrogatepass") for form in self._texts]
        self._hook = hook

    def text(self, text: str) -> str:
        """Clean a text."""
        for form in self._texts:
            text = text.replace(form, MASK)
        return self._hook(text) if self._hook else text

    def data(self, data: bytes) -> bytes:
        """Clean encoded text, such as a serialised answer. The hook sees it decoded."""
        for form in self._datas:
            data = data.replace(form, MASK.encode())
        return (
            self._hook(data.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass") if self._hook else data
        )


def _forms(secret: str) -> set[str]:
    escaped = {json.dumps(secret, ensure_ascii=ensure)[1:-1] for ensure in (True, False)}
    return {secret, quote(secret, safe="", errors="surrogatepass"), *escaped}

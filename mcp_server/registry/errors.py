"""What this room raises, and for whom each text is meant.

A `RegistrationError` speaks to the author of a server while it starts, `InvalidArguments` to the caller, and
`OutputMismatch` to the log alone. Nothing here knows what becomes of them on the wire.
"""

from __future__ import annotations


class RegistrationError(ValueError):
    """Something cannot be registered; the text says what to write instead."""


class InvalidArguments(Exception):  # noqa: N818 - named for what the caller sent, not for the mechanism
    """What the caller sent breaks the published rules; the text names fields and rules, never values."""


class OutputMismatch(Exception):  # noqa: N818 - named for what went wrong, not for the mechanism
    """A function returned what its declaration forbids; the text is for the log, not for the caller."""


class BadCursor(Exception):  # noqa: N818 - named for what the caller sent, not for the mechanism
    """A page was asked for with a cursor that was never given out."""

"""Keeps loggers silent for a while, where a command says the same better."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def hushed(*names: str, below: int) -> Generator[None]:
    """Drop what these loggers have to say, unless it is of that level or above."""
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(below)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)

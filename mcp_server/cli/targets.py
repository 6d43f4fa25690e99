"""What a TARGET is: where a command finds its server, how it reaches it, and a session with it."""

from __future__ import annotations

import asyncio
import functools
import shlex
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

import click

from mcp_server.cli.problem import Misuse
from mcp_server.cli.sessions import Hear, Session, deaf

T = TypeVar("T")

_COMMAND: Final = "mcp_server.cli.command"
_URL: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to reach it: at a `url`, as a `command` to start, or as an `app` to load."""

    app: str | None = None
    url: str | None = None
    command: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    legacy: bool = False
    timeout: float = 30

    @property
    def description(self) -> str:
        """The target, as it would be written."""
        return self.url or shlex.join(self.command) or self.app or "the server"


Reach: TypeAlias = Callable[[str | None], Target]
"""From a TARGET, or none, to the target with all that the options say."""


class ForServer(click.Command):
    """A command after whose own words may stand `-- command args`, the server."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what follows the first `--` from click, which would take it for more of its own words."""
        own, command = args, list[str]()
        if "--" in args:
            cut = args.index("--")
            own, command = args[:cut], args[cut + 1 :]
            if not command:
                raise click.UsageError("write the command that starts the server after --", ctx)
        ctx.meta[_COMMAND] = tuple(command)
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show it in the usage."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


def reaching(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how to reach a server, and its function a `Reach` made of them."""

    @click.option("--legacy", is_flag=True, help="Speak a version from before 2026-07-28.")
    @click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header for a URL.")
    @click.option("--key", metavar="KEY", help="The key for a URL, sent as Authorization: Bearer KEY.")
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=30,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for an answer from a URL or a command.",
    )
    @click.pass_context
    @functools.wraps(function)
    def with_options(
        ctx: click.Context, /, *, legacy: bool, headers: tuple[str, ...], key: str | None, timeout: float, **own: Any
    ) -> None:
        def reach(written: str | None) -> Target:
            sent = _headers(headers, key)
            return target_from(written, ctx.meta[_COMMAND], headers=sent, legacy=legacy, timeout=timeout)

        function(reach, **own)

    return with_options


def target_from(
    written: str | None,
    command: tuple[str, ...] = (),
    *,
    headers: Mapping[str, str] | None = None,
    legacy: bool = False,
    timeout: float = 30,
) -> Target:
    """What has been written, told apart; raises `click.UsageError` for what contradicts itself."""
    if written is not None and command:
        raise click.UsageError(f"give either the TARGET {written} or a command after --, not both")
    url = written if written is not None and written.startswith(_URL) else None
    if headers and url is None:
        raise click.UsageError("--key and --header are for a URL")
    if url is None:
        return Target(app=written, command=command, legacy=legacy, timeout=timeout)
    if not _leads_somewhere(url):
        raise click.UsageError(f"{url} is no URL: write it as in https://host:8000/mcp")
    return Target(url=url, headers=headers or {}, legacy=legacy, timeout=timeout)


def connect(target: Target, hear: Hear = deaf) -> AbstractAsyncContextManager[Session]:
    """A session with the target, while the context lasts."""
    if target.url is not None or target.command:
        from mcp_server.cli import remote

        return remote.connect(target, hear)
    from mcp_server.cli import local

    return local.connect(target.app, hear, legacy=target.legacy)


def ask(target: Target, question: Callable[[Session], Awaitable[T]], hear: Hear = deaf) -> T:
    """Open a session, put a question, close it; raises `Problem`."""

    async def main() -> T:
        async with connect(target, hear) as session:
            return await question(session)

    return asyncio.run(main())


def _leads_somewhere(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _headers(lines: tuple[str, ...], key: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (colon and name.strip() and value.strip().isprintable()):
            raise Misuse(f"{name or line!r} is no header", "Write --header 'Name: value'.")
        found[name.strip()] = value.strip()
    if key is not None:
        found["Authorization"] = f"Bearer {key}"
    return found

"""`mcp-server run`: serve, over standard input and output or over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("run")
@click.argument("target", required=False)
@click.option("--http", is_flag=True, help="Serve over HTTP, as the environment and a .env file here say.")
@click.option("--host", metavar="ADDRESS", help="The address to listen on, with --http.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on, with --http.")
def command(target: str | None, *, http: bool, host: str | None, port: int | None) -> None:
    """Serve a server: to the program that starts this one, or with --http to anybody."""
    if not http:
        if host is not None or port is not None:
            raise click.UsageError("--host and --port go with --http")
        _serve_here(target)
        return

    from mcp_server.cli.local import explained
    from mcp_server.serving import serve

    with explained():
        serve(dotenv=Path(".env"), mcp_app=target, host=host, port=port)


def _serve_here(target: str | None) -> None:
    from mcp_server.cli.local import load

    server = load(target)
    if sys.stdin.isatty():
        click.echo(f"{server.name} waits for a client on standard input; Ctrl-C ends it.", err=True)
    server.run()

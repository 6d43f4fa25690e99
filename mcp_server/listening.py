"""Where the server listens: from an address to bound sockets, and uvicorn on them.

`localhost` means both loopback addresses, because a client that is told `localhost` may try `::1` first and may try
nothing else; a machine without IPv6 has only the other one. Any other name means whatever it stands for, and `::` means
every address, those of IPv4 included. Nothing here knows of MCP or of settings.
"""

from __future__ import annotations

import errno
import inspect
import logging
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

logger = logging.getLogger("mcp_server")

LOOPBACK: Final = ("127.0.0.1", "::1")
_OTHER_FILES: Final = 100
"""What may be open beside the connections: pools to databases and services, the store, the log."""
_NOT_STARTED: Final = 3
"""uvicorn's exit code for a server that never began."""
_NOT_OF_THIS_MACHINE: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class CannotListen(Exception):  # noqa: N818 - it is what has happened
    """Somebody else listens there, or it is not to be had; the text says so in one line."""


class NotOfThisMachine(CannotListen):
    """This machine has no such address."""


def bound(host: str, port: int) -> list[socket.socket]:
    """A socket for each address that `host` stands for, none of them listening yet; raises `CannotListen`."""
    return bound_to_any(LOOPBACK, port) if host == "localhost" else _bound(host, port)


def bound_to_any(hosts: Iterable[str], port: int) -> list[socket.socket]:
    """A socket for each of these that this machine has; raises `CannotListen` if it has none, or if one is taken."""
    sockets: list[socket.socket] = []
    missing: NotOfThisMachine | None = None
    with ExitStack() as undo:
        for host in hosts:
            try:
                found = _bound(host, port)
            except NotOfThisMachine as error:
                missing = error
            else:
                sockets += [undo.enter_context(each) for each in found]
        if missing is not None and not sockets:
            raise missing
        undo.pop_all()
    return sockets


def _bound(host: str, port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    with ExitStack() as undo:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, address in dict.fromkeys((family, address) for family, *_, address in found):
                sockets.append(undo.enter_context(socket.socket(family, socket.SOCK_STREAM)))
                _bind(sockets[-1], address, everywhere=host == "::")
        except OSError as error:
            raise _explained(host, port, error) from error
        undo.pop_all()
    return sockets


def _bind(listener: socket.socket, address: Any, *, everywhere: bool) -> None:
    if os.name == "posix":  # elsewhere it would let two programs have one port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not everywhere)
    listener.bind(address)
    listener.set_inheritable(True)  # by the workers, if there are any


def _explained(host: str, port: int, error: OSError) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return CannotListen(
            f"Port {port} is in use on {host}: stop what is listening there, or set PORT to another one"
        )
    kind = NotOfThisMachine if error.errno in _NOT_OF_THIS_MACHINE else CannotListen
    return kind(f"Cannot listen on {host} port {port}: {error.strerror}")


def room_for(connections: int) -> int:
    """How many connections fit into the files that this process may open, once it has asked for as many as it needs.

    Without that, connections that are only held would take every file, and no newcomer could be given their place.
    """
    if sys.platform == "win32":
        return connections
    import resource  # noqa: PLC0415 - exists on Unix only

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return connections
    wanted = connections + _OTHER_FILES
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    if allowed < wanted:
        with suppress(OSError, ValueError):  # whoever runs us may have forbidden it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            allowed = wanted
    fit = max(allowed - _OTHER_FILES, allowed // 2)
    if fit < connections:
        logger.warning(
            "This process may open %d files, which is enough for %d connections: see ulimit -n", allowed, fit
        )
    return min(fit, connections)


class _Server(uvicorn.Server):
    """uvicorn's server, which also says where it listens if it was given its sockets."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        _say(self.config, sockets or [])


def run(config: uvicorn.Config, sockets: list[socket.socket]) -> None:
    """Serve on these sockets until the process is asked to stop; in several processes, if there are to be workers."""
    if config.workers > 1:
        _say(config, sockets)
        _supervisor(config, sockets).run()
        return
    server = _Server(config)
    server.run(sockets)
    if not server.started:
        sys.exit(_NOT_STARTED)


def _supervisor(config: uvicorn.Config, sockets: list[socket.socket]) -> Multiprocess:
    known: dict[str, Any] = {"sockets": sockets}
    if "target" in inspect.signature(Multiprocess).parameters:  # what workers run, which uvicorn knows since 0.51
        known["target"] = uvicorn.Server(config).run
    return Multiprocess(config, **known)


def _say(config: uvicorn.Config, sockets: Iterable[socket.socket]) -> None:
    scheme = "https" if config.is_ssl else "http"
    places = [each.getsockname()[:2] for each in sockets]
    urls = [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for host, port in places]
    logger.info("Uvicorn running on %s (Press CTRL+C to quit)", " and ".join(urls))

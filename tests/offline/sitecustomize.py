"""Refuse every connection that leaves this machine, in each Python process of a test run.

`tests/surroundings.py` puts this folder on PYTHONPATH, so that Python imports the file at start, in
pytest, in notebook kernels, in Jupyter servers and in whatever those start. An audit hook sees the
calls of C code too and cannot be removed again.
"""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import Any


class NetworkRefused(ConnectionError):
    """Raised in place of a connection to another machine."""


def is_local(address: Any) -> bool:
    """Whether a socket address, or the name of a host, stays on this machine."""
    host = address[0] if isinstance(address, tuple) else address
    if host is None or not isinstance(address, tuple | str):
        return True  # bytes are the path of a Unix socket
    if isinstance(host, bytes):
        host = host.decode()
    if host in ("", "localhost", "localhost.localdomain") or host.startswith("/"):
        return True
    try:
        parsed = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return parsed.is_loopback or parsed.is_unspecified


def own_names() -> tuple[str, ...]:
    """The names of this machine: Jupyter asks for its addresses at start."""
    import socket

    name = socket.gethostname()
    return name, f"{name}.local"


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: raise `NetworkRefused` for a connection, a datagram or a look-up that leaves."""
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto"):
        is_refused = not is_local(arguments[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        is_refused = not is_local(arguments[0]) and arguments[0] not in own_names()
    else:
        return
    if is_refused:
        raise NetworkRefused(f"tests run offline; {event} refused for {arguments}")


sys.addaudithook(refuse_network)

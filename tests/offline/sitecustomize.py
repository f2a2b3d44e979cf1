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


def is_local(host: Any) -> bool:
    """Whether the name or number of a host means this machine."""
    host = host.decode() if isinstance(host, bytes) else host
    if not isinstance(host, str) or host in ("", "localhost", "localhost.localdomain"):
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def own_names() -> tuple[str, ...]:
    """The names of this machine: Jupyter asks for its addresses at start."""
    import socket

    name = socket.gethostname()
    return name, f"{name}.local"


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: raise `NetworkRefused` for a connection, a datagram or a look-up that leaves."""
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        # other kinds of address belong to sockets that cannot leave: the path of a Unix socket above all
        is_refused = isinstance(address, tuple) and not is_local(address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        is_refused = not is_local(arguments[0]) and arguments[0] not in own_names()
    else:
        return
    if is_refused:
        raise NetworkRefused(f"tests run offline; {event} refused for {arguments}")


sys.addaudithook(refuse_network)

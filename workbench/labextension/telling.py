"""Tell the front end that versions changed: an empty message on a comm.

A version is made by a thread of a panel while no cell runs, so that the front end could not know when to
ask. It only listens; what changed it asks for itself.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

TARGET = "compression-workbench"
MOST = 8  # pages that listen; one that is closed without a word makes room for the next

_lock = threading.RLock()
_comms: deque[Any] = deque()
_is_watching = False


def begin() -> None:
    """Open a comm to the front ends of this kernel."""
    global _is_watching
    from comm import create_comm

    from workbench import versions

    with _lock:
        _comms.append(create_comm(target_name=TARGET))
        while len(_comms) > MOST:
            _comms.popleft().close()
        if not _is_watching:
            versions.observe(lambda tree: tell())
            _is_watching = True


def tell() -> None:
    """Say that something changed, to every front end there is; from any thread."""
    with _lock:
        comms = list(_comms)
    for comm in comms:
        comm.send({})

"""Processes with the model: started afresh, or as copies of one."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from modelship_service.cores import cores
from modelship_service.workers import orders
from modelship_service.workers.channel import Channel

_MODULE = "modelship_service.workers.nursery"
_SOCKET_FD = 3
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Nursery:
    """A process that loads the model. `copies`, when it has: whether workers can be copies of it."""

    def __init__(self, workers: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-m", _MODULE, str(_SOCKET_FD), str(os.getpid())],
                _environment(workers),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), _SOCKET_FD),
                ],
            )
        self.channel = Channel(ours)
        self.copies = False
        self.described: Mapping[str, Any] = {}

    async def loaded(self) -> None:
        """Raises ModelFailed, or EOFError when it has died."""
        self.copies, self.described = orders.checked(await self.channel.receive())

    async def copy(self) -> tuple[int, Channel]:
        """A worker beside it. Raises EOFError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self.channel.sock, [orders.FORK], [theirs.fileno()])
            (pid,) = orders.checked(await self.channel.receive())
        except (EOFError, OSError):
            ours.close()
            raise EOFError from None
        return pid, Channel(ours)

    def turn(self) -> tuple[int, Channel]:
        """It becomes a worker itself."""
        try:
            self.channel.sock.send(orders.WORK)
        except OSError:
            self.channel.close()
        return self.pid, self.channel


def _environment(workers: int) -> dict[str, str]:
    """So many threads for each worker that together they have the cores, unless something else was asked for."""
    threads = str(max(1, cores() // workers))
    return {**dict.fromkeys(_THREADS, threads), **os.environ}

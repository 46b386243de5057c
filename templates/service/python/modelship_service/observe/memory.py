"""The memory of processes, some of which are copies of one another."""

from __future__ import annotations

import os
from collections.abc import Sequence


def memory_of(pids: Sequence[int]) -> int:
    """Bytes that are resident; what several of them share counts once."""
    return _resident(pids[0]) if len(pids) == 1 else sum(_share(pid) for pid in pids)


def _share(pid: int) -> int:
    """Each page divided by the number of processes that have it."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as stream:
            return next(int(line.split()[1]) * 1024 for line in stream if line.startswith(b"Pss:"))
    except (OSError, StopIteration):
        return _resident(pid)


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0

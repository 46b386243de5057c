"""Copies of this process: when they may be made, how, and whose children they are."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_THREADS = Path("/proc/self/task")
_MAPS = Path("/proc/self/maps")
_REHEARSAL_S = 2.0


def adopt_orphans() -> None:
    """Make what this process's children leave behind its own children: what a worker's end was is then known here."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with(parent: int) -> None:
    """Have the system kill this process when its parent dies, even in the middle of a call of the model."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if sys.platform == "linux" and os.getppid() != parent:
        os._exit(0)  # It had died before.


def may_fork() -> bool:
    """Whether workers can be copies of this process with its model, and so share the memory of the weights.

    Other threads are not in the copy, and what they had locked stays locked there; CUDA does not work there either. So
    it has to be without CUDA, and with one thread. Those that a BLAS library has started do not count: it stops them
    before each fork and starts them when it needs them again, which a fork for rehearsal shows.
    """
    if not _THREADS.is_dir() or b"libcuda.so" in _MAPS.read_bytes():
        return False
    return _threads() == 1 or (_rehearse() and _threads() == 1)


def fork_child(work: Callable[[], NoReturn], parent: int) -> int:
    """The id of a copy that does `work`: a child of `parent`, which has adopted it as nobody stays in between."""
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        me = os.getpid()
        child = os.fork()
        if child:
            os.write(writer, child.to_bytes(8, "little"))
            os._exit(0)
        os.close(reader)
        os.close(writer)
        while os.getppid() == me:
            time.sleep(0.0005)
        end_with(parent)
        work()
    os.close(writer)
    try:
        os.waitpid(between, 0)
        told = os.read(reader, 8)
    finally:
        os.close(reader)
    if not told:
        raise OSError("no process could be made")
    return int.from_bytes(told, "little")


def freeze() -> None:
    """What is loaded now stays: the garbage collector of a copy would only write to what they share."""
    gc.collect()
    gc.freeze()


def _threads() -> int:
    return len(list(_THREADS.iterdir()))


def _rehearse() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0)
    end = time.monotonic() + _REHEARSAL_S
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return True
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)

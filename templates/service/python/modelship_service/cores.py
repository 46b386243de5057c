"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """Its CPUs, or the quota of its container where that is less."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text().split()
        usable = min(usable, -(-int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, usable)


def threads() -> int:
    """For a library that computes: one for each core, or as many as `OMP_NUM_THREADS` says, as the workers' does."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isascii() and told.isdigit() and int(told) > 0 else cores()

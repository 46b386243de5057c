"""Under `modelship dev` the service ends with the command that started it, however that came to its end."""

from __future__ import annotations

import os
import signal
import threading
import time

_VARIABLE = "MODELSHIP_END_WITH_STDIN"
# Then whatever still runs is beyond asking.
_PATIENCE_S = 10.0


def end_with_stdin() -> None:
    """If told to, end as on SIGTERM when stdin does: whoever holds its other end is gone."""
    if os.environ.pop(_VARIABLE, "") != "1":
        return
    # User code, and what it starts, reads nothing.
    stdin = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_wait, args=(stdin,), name="parent", daemon=True).start()


def _wait(stdin: int) -> None:
    while os.read(stdin, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE_S)
    os._exit(1)

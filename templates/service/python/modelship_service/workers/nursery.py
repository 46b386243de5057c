"""`python -m modelship_service.workers.nursery FD PARENT`: load the model, then be copied into workers, or be one."""

import os
import sys

sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]

import contextlib  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

from modelship_service.model.failure import Failure  # noqa: E402
from modelship_service.model.host import ModelHost  # noqa: E402
from modelship_service.model.load import Described, load_models, warm_up  # noqa: E402
from modelship_service.observe.logs import claim_stdout  # noqa: E402
from modelship_service.settings import NO_CODE, Settings  # noqa: E402
from modelship_service.workers import frames, orders  # noqa: E402
from modelship_service.workers.fork import end_with, fork_child, freeze, may_fork  # noqa: E402


def main() -> None:
    sock, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    # Handled, and not ignored: what the model starts would ignore them too. The service's end is this one's.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    end_with(parent)
    sock.set_inheritable(False)
    os.close(claim_stdout())
    settings, project = Settings.from_env(os.environ), Path.cwd()
    try:
        host, described = load_models(settings, project)
    except BaseException as error:
        return _tell(sock, orders.failed(error, project))
    copies = may_fork()
    freeze()
    # What has no code has its schema in the file of the model, which the service itself does not load.
    schemas = {api: one for api, one in described.items() if settings.entry[api] == NO_CODE}
    _tell(sock, (orders.LOADED, copies, schemas))
    while True:
        try:
            order, fds, _, _ = socket.recv_fds(sock, 1, 1)
        except ConnectionError:
            return
        if order == orders.WORK:
            return _work(sock, host, described, settings, project)
        if order != orders.FORK:
            return

        def work(mine: socket.socket) -> NoReturn:
            sock.close()
            _work(mine, host, described, settings, project)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

        os.set_inheritable(fds[0], False)
        with socket.socket(fileno=fds[0]) as theirs:
            pid = fork_child(lambda: work(theirs), parent)
        _tell(sock, (orders.FORKED, pid))


def _work(
    sock: socket.socket, host: ModelHost, described: dict[str, Described], settings: Settings, project: Path
) -> None:
    """Warm up, say so, and do one job after the other until the other end is closed."""
    try:
        if settings.warm_up:
            warm_up(host, described, project)
    except BaseException as error:
        return _tell(sock, orders.failed(error, project))
    _tell(sock, (orders.READY,))
    while True:
        try:
            packed = frames.receive(sock)
        except (EOFError, OSError):
            return
        try:
            operation, arguments = frames.unpack(packed)
            result = getattr(host, operation)(*arguments)
        except BaseException as error:
            result = Failure.of(error)
        try:
            frames.send(sock, _packed(result))
        except OSError:
            return
        packed = operation = arguments = result = None  # type: ignore[assignment]


def _packed(result: Any) -> frames.Buffers:
    """A result that no other process can be given is a failure of the one request that it belongs to."""
    try:
        return frames.pack(result)
    except Exception as error:
        if isinstance(result, list) and len(result) > 1:
            return frames.pack([_whole_or_failure(one) for one in result])
        failure = _cannot_leave(error)
        return frames.pack([failure] if isinstance(result, list) else failure)


def _whole_or_failure(one: Any) -> Any:
    try:
        frames.pack(one)
    except Exception as error:
        return _cannot_leave(error)
    return one


def _cannot_leave(error: Exception) -> Failure:
    return Failure(f"the model's answer cannot leave its process: {type(error).__name__}: {error}")


def _tell(sock: socket.socket, message: Any) -> None:
    with contextlib.suppress(ConnectionError):
        frames.send(sock, frames.pack(message))


if __name__ == "__main__":
    main()

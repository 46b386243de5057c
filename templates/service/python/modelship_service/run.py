"""From the environment to an exit code."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from modelship_service.guard.key_file import KeySource
from modelship_service.guard.keys import KeysError
from modelship_service.observe.logs import Log, claim_stdout
from modelship_service.parent import end_with_stdin
from modelship_service.settings import Settings, SettingsError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_MODEL = 3
EXIT_WORKERS = 4

ALL_ADDRESSES = "0.0.0.0"
LOOPBACK = "127.0.0.1"


def main() -> NoReturn:
    started = time.monotonic()
    # As the first process of a container, a signal without a handler would be ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(EXIT_OK))
    end_with_stdin()
    fd = claim_stdout()
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as problem:
        Log(fd).write("error", "settings_invalid", reason=str(problem))
        print(problem, file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    log = Log(fd, settings.log_level)
    try:
        keys = KeySource(settings.api_keys, settings.keys_file, log)
        settings = replace(settings, host=_address(settings, keys, log))
    except (KeysError, SettingsError) as problem:
        log.write("error", "settings_invalid", reason=str(problem))
        print(problem, file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    _leave(*_serve(settings, keys, log, started))


def _address(settings: Settings, keys: KeySource, log: Log) -> str:
    """Where to listen. Without keys nobody else gets in, unless that is what was asked for."""
    if keys.configured:
        return settings.host or ALL_ADDRESSES
    if settings.keys_env is not None:
        raise SettingsError(f"the API keys are to come from {settings.keys_env}, which is not set")
    how = "set MODELSHIP_API_KEYS or MODELSHIP_KEYS_FILE, or MODELSHIP_OPEN=1 to serve everyone without a key"
    if settings.open:
        host = settings.host or ALL_ADDRESSES
        if not _is_loopback(host):
            log.write("warning", "open", reason=f"no API key is configured: {host} serves everyone who can reach it")
        return host
    if settings.host is None:
        log.write("warning", "loopback_only", reason=f"no API key is configured: only this machine is served; {how}")
        return LOOPBACK
    if not _is_loopback(settings.host):
        raise SettingsError(f"no API key is configured, and MODELSHIP_HOST is {settings.host}: {how}")
    return settings.host


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _serve(settings: Settings, keys: KeySource, log: Log, started: float) -> tuple[int, bool]:
    """The exit code, and whether user code has come to its end."""
    assert settings.host is not None
    # Imported late: a wrong setting, and a signal, are answered at once.
    import uvloop

    from modelship_service.http.server import Server, bind
    from modelship_service.service import Service

    try:
        listener = bind(settings.host, settings.port)
    except OSError as problem:
        reason = f"cannot listen on {settings.host} port {settings.port}: {problem.strerror or problem}"
        log.write("error", "listen_failed", reason=reason)
        print(reason, file=sys.stderr)
        return EXIT_FAILED, True
    port = listener.getsockname()[1]
    log.write("info", "listening", name=settings.name, version=settings.version, host=settings.host, port=port)

    service = Service(settings, Path.cwd(), log, keys)
    server = Server(service, listener)
    uvloop.run(server.serve_model())

    code = EXIT_OK
    if service.failed is not None:
        print(service.failed.shown, file=sys.stderr, flush=True)
        log.write("error", "model_failed", stage=service.failed.stage, reason=service.failed.reason)
        code = EXIT_MODEL
    elif service.broken:
        code = EXIT_WORKERS
    ended = service.stop()
    log.write("info", "stopped", exit_code=code, uptime_s=round(time.monotonic() - started, 3))
    return code, ended


def _leave(code: int, ended: bool) -> NoReturn:
    if ended:
        sys.exit(code)
    # User code is still running in its thread, and an orderly end would pull the interpreter from under it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

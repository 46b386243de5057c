"""What the service is told: environment variables, read once and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelship_service.observe.logs import LEVELS

MEBIBYTE = 1024 * 1024

# MODELSHIP_ENTRY of a project without user code: the model's file says all.
NO_CODE = "onnx"

_PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}


class SettingsError(Exception):
    """A variable has a value that the service cannot use."""


@dataclass(frozen=True)
class Settings:
    name: str = "model"
    version: str = "0.0.0"
    # API version to entry: `{"v1": "model.py:Model"}`.
    entry: Mapping[str, str] = field(default_factory=lambda: {"v1": "model.py:Model"})
    files: Path | None = None
    image_digest: str | None = None

    # None: loopback without keys, else all addresses.
    host: str | None = None
    port: int = 8080
    # Serve other machines although no key is configured.
    open: bool = False
    api_keys: str = ""
    # The variable that has the keys, where it is not MODELSHIP_API_KEYS.
    keys_env: str | None = None
    keys_file: Path | None = None
    # Requests and seconds, a key, unless the key has its own.
    rate_limit: tuple[int, float] | None = None
    max_concurrency: int | None = None
    cors_origins: frozenset[str] = frozenset()
    playground: bool = True

    timeout_s: float = 30.0
    drain_s: float = 20.0
    header_timeout_s: float = 10.0
    idle_timeout_s: float = 75.0
    heartbeat_s: float = 15.0
    max_connections: int = 4096
    max_header_bytes: int = 32 * 1024
    max_body_bytes: int = 16 * MEBIBYTE
    max_decoded_bytes: int = 64 * MEBIBYTE
    max_json_depth: int = 64
    max_rows: int = 1024
    queue_max_rows: int = 256

    batch_max_rows: int = 32
    batch_max_delay_ms: float = 0.0
    workers: int = 1
    # So many in a minute, and the service ends.
    max_worker_deaths: int = 5
    max_streams: int = 64
    warm_up: bool = True

    jobs_max: int = 256
    jobs_ttl_s: float = 3600.0
    job_timeout_s: float = 3600.0

    log_level: str = "info"
    log_bodies: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        given: dict[str, Any] = {}
        for name, read in READERS.items():
            variable = f"MODELSHIP_{name.upper()}"
            text = env.get(variable, "").strip()
            if not text:
                continue
            try:
                given[name] = read(text)
            except ValueError as problem:
                # What stands for keys is never shown, not even where it makes no sense.
                shown = "" if name == "api_keys" else f", and it is {text!r}"
                raise SettingsError(f"{variable} {problem}{shown}") from None
        named = given.get("keys_env")
        if named is not None and "api_keys" not in given:
            given["api_keys"] = env.get(named, "").strip()
        return cls(**given)


def _whole(lowest: int, highest: int = 2**53) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(text)

    return read


def _number(lowest: float, highest: float, unit: str) -> Callable[[str], float]:
    """Above `lowest`, and up to `highest`; 0 itself where `lowest` is negative."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not lowest < value <= highest:
            above = "from 0" if lowest < 0 else f"above {lowest:g}"
            raise ValueError(f"must be a number of {unit} {above} and up to {highest:g}")
        return value

    return read


_seconds = _number(0, 86_400, "seconds")


def _yes_or_no(text: str) -> bool:
    lower = text.lower()
    if lower in ("1", "true", "yes", "on"):
        return True
    if lower in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be 1 or 0")


def _entries(text: str) -> dict[str, str]:
    """One entry, or several API versions side by side: `v1=old.py:Model,v2=model.py:Model`."""
    if "=" not in text:
        return {"v1": _entry(text)}
    entries: dict[str, str] = {}
    for part in text.split(","):
        version, _, entry = part.strip().partition("=")
        if not re.fullmatch(r"v[1-9][0-9]{0,3}", version) or version in entries:
            raise ValueError("must name each API version once, as in v1=old.py:Model,v2=model.py:Model")
        entries[version] = _entry(entry)
    return dict(sorted(entries.items(), key=lambda item: int(item[0][1:])))


def _entry(text: str) -> str:
    if text == NO_CODE:
        return text
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise ValueError("must look like model.py:Model, a file and a class in it")
    return text


def _rate(text: str) -> tuple[int, float]:
    found = re.fullmatch(r"([1-9][0-9]{0,8})\s*/\s*(second|minute|hour)", text)
    if not found:
        raise ValueError("must look like 60/minute: a number of requests for each second, minute or hour")
    return int(found[1]), _PERIODS[found[2]]


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(part.strip() for part in text.split(",") if part.strip())
    wrong = [one for one in origins if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", one)]
    if wrong:
        raise ValueError("must be exact origins, as in https://app.example.com, separated by commas")
    return origins


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError(f"must be one of {', '.join(LEVELS)}")
    return text.lower()


READERS: dict[str, Callable[[str], Any]] = {
    "name": str,
    "version": str,
    "entry": _entries,
    "files": Path,
    "image_digest": str,
    "host": str,
    "port": _whole(0, 65_535),
    "open": _yes_or_no,
    "api_keys": str,
    "keys_env": str,
    "keys_file": Path,
    "rate_limit": _rate,
    "max_concurrency": _whole(1),
    "cors_origins": _origins,
    "playground": _yes_or_no,
    "timeout_s": _seconds,
    "drain_s": _seconds,
    "header_timeout_s": _seconds,
    "idle_timeout_s": _seconds,
    "heartbeat_s": _seconds,
    "max_connections": _whole(1),
    "max_header_bytes": _whole(1024),
    "max_body_bytes": _whole(1),
    "max_decoded_bytes": _whole(1),
    "max_json_depth": _whole(1, 500),
    "max_rows": _whole(1),
    "queue_max_rows": _whole(1),
    "batch_max_rows": _whole(1),
    "batch_max_delay_ms": _number(-1, 60_000, "milliseconds"),
    "workers": _whole(1, 256),
    "max_worker_deaths": _whole(1),
    "max_streams": _whole(1),
    "warm_up": _yes_or_no,
    "jobs_max": _whole(0),
    "jobs_ttl_s": _seconds,
    "job_timeout_s": _seconds,
    "log_level": _level,
    "log_bodies": _yes_or_no,
}

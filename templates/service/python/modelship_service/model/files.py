"""The model's files, and what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_MAX_FILES = 1000


def digests(root: Path) -> list[dict[str, Any]]:
    """Path, size in bytes and SHA-256 of each, sorted by path."""
    base = root if root.is_dir() else root.parent
    return [
        {"path": file.relative_to(base).as_posix(), "size": file.stat().st_size, "sha256": _sha256(file)}
        for file in sorted(_files(root))[:_MAX_FILES]
    ]


def _files(root: Path) -> Iterable[Path]:
    return (root,) if root.is_file() else (one for one in root.rglob("*") if one.is_file())


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1024 * 1024):
            digest.update(chunk)
    return digest.hexdigest()

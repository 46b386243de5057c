"""Tracebacks as the user should see them: their lines, without ours."""

from __future__ import annotations

import importlib
import os
import traceback
from pathlib import Path

_OURS = str(Path(__file__).resolve().parents[1]) + os.sep
_IMPORT = (str(importlib.__file__), "<frozen importlib")


def format_for_user(error: BaseException) -> str:
    shown = traceback.TracebackException.from_exception(error)
    _strip(shown)
    return "".join(shown.format())


def user_line(error: BaseException, project: Path) -> tuple[str, int] | None:
    """The deepest line of the project's own code on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename:
        found = _inside(error.filename, project)
        if found:
            return found, error.lineno or 1
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        found = _inside(frame.filename, project)
        if found:
            return found, frame.lineno or 1
    return None


def summary(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text[:500]


def _inside(filename: str, project: Path) -> str | None:
    try:
        relative = Path(filename).resolve().relative_to(project.resolve())
    except (ValueError, OSError):
        return None
    return None if "site-packages" in relative.parts else relative.as_posix()


def _strip(shown: traceback.TracebackException) -> None:
    todo, seen = [shown], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        kept = [frame for frame in one.stack if not frame.filename.startswith((_OURS, *_IMPORT))]
        one.stack = traceback.StackSummary.from_list(kept)
        todo += [linked for linked in (one.__cause__, one.__context__) if linked]
        todo += getattr(one, "exceptions", None) or []

"""The user's model: found, imported, read and loaded; and what went wrong, in the user's terms."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any

from modelship_service.model import tracebacks
from modelship_service.schema.methods import read_methods
from modelship_service.schema.read import read_schema
from modelship_service.schema.schema import SignatureError

# Libraries that report their use to their makers unless told not to. A value that is set already is kept.
NO_TELEMETRY = {"DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "ORT_DISABLE_TELEMETRY": "1"}


class ModelFailed(Exception):
    """The model cannot be served. `shown` is for a person, `reason` is one line."""

    def __init__(self, stage: str, reason: str, shown: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
        self.shown = shown

    @classmethod
    def because(cls, stage: str, message: str) -> ModelFailed:
        return cls(stage, message, message)

    @classmethod
    def from_exception(cls, stage: str, error: BaseException, project: Path) -> ModelFailed:
        reason = tracebacks.summary(error)
        where = tracebacks.user_line(error, project)
        if where:
            reason = f"{where[0]}:{where[1]}: {reason}"
        return cls(stage, reason, tracebacks.format_for_user(error).rstrip())


class UserModel:
    """The user's class, and the schema that its annotations declare."""

    def __init__(self, entry: str, project: Path, max_rows: int) -> None:
        self._project = project
        file, _, name = entry.rpartition(":")
        self._class = _find_class(project, file, name)
        try:
            self.schema = read_schema(self._class, max_rows)
            self.methods = read_methods(self._class)
        except SignatureError as problem:
            line = f":{problem.line}" if problem.line else ""
            raise ModelFailed.because("schema", f"{file}{line}: {problem}") from None
        except BaseException as error:
            raise ModelFailed.from_exception("schema", error, project) from None

    def load(self, files: Path | None) -> Any:
        """An instance, loaded and ready to predict."""
        if files is not None and not files.exists():
            raise ModelFailed.because(
                "load", f"the model files are not there: {files} (is the image started without its weights?)"
            )
        try:
            model = self._class()
            model.load(self._project if files is None else files)
        except BaseException as error:
            raise ModelFailed.from_exception("load", error, self._project) from None
        return model


def _find_class(project: Path, file: str, name: str) -> type:
    path = project / file
    if not path.is_file():
        raise ModelFailed.because("import", f"{file} is not there: the entry is {file}:{name}, looked for in {project}")
    module = _import(project, path, file)
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        raise ModelFailed.because("import", f"{file}: no class named {name}: the entry is {file}:{name}")
    return found


def _import(project: Path, path: Path, file: str) -> Any:
    for variable, value in NO_TELEMETRY.items():
        os.environ.setdefault(variable, value)
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    parts = Path(file).with_suffix("").parts
    if not all(part.isidentifier() for part in parts):
        raise ModelFailed.because(
            "import", f"{file}: Python cannot import a file of this name: use letters, digits and _"
        )
    try:
        module = importlib.import_module(".".join(parts))
    except BaseException as error:
        raise ModelFailed.from_exception("import", error, project) from None
    origin = getattr(module, "__file__", None)
    if origin is None or Path(origin).resolve() != path.resolve():
        raise ModelFailed.because("import", f"{file}: a Python module of this name exists already: rename the file")
    return module

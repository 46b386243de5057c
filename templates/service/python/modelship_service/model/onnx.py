"""A model without code: one ONNX graph, which says itself what it takes and gives."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelship_service.cores import threads
from modelship_service.model import accelerator, tracebacks
from modelship_service.model.user_model import NO_TELEMETRY, ModelFailed
from modelship_service.schema.arrays import ArraySchema
from modelship_service.schema.datatypes import Array
from modelship_service.schema.onnx_graph import is_maps, schema_of_graph
from modelship_service.schema.schema import SignatureError

_CUDA = "CUDAExecutionProvider"


class OnnxModel:
    """Has the methods of a user's model of arrays."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._outputs = [(node.name, is_maps(node)) for node in session.get_outputs()]

    def predict(self, **inputs: Array) -> dict[str, Array]:
        results = self._session.run(None, inputs)
        return {
            name: _from_maps(result) if maps else result
            for (name, maps), result in zip(self._outputs, results, strict=True)
        }


def load_onnx(files: Path, max_rows: int) -> tuple[OnnxModel, ArraySchema]:
    """The graph under `files`, which may be a folder with its external data beside it. Raises ModelFailed."""
    path = find_onnx(files)
    session = _session(path)
    try:
        schema = schema_of_graph(session.get_inputs(), session.get_outputs(), max_rows)
    except SignatureError as problem:
        raise ModelFailed.because("schema", f"{path.name}: {problem}") from None
    return OnnxModel(session), schema


def find_onnx(files: Path) -> Path:
    if files.is_file():
        return files
    if not files.is_dir():
        raise ModelFailed.because(
            "load", f"the model files are not there: {files} (is the image started without its weights?)"
        )
    found = sorted(
        path
        for path in files.rglob("*.onnx")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(files).parts)
    )
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelFailed.because("load", f"no .onnx file in {files}, and no model.py to say what else is served")
    names = ", ".join(path.relative_to(files).as_posix() for path in found[:5])
    raise ModelFailed.because(
        "load", f"{len(found)} .onnx files in {files} ({names}): keep one, or write a model.py that uses them"
    )


def _session(path: Path) -> Any:
    for variable, value in NO_TELEMETRY.items():
        os.environ.setdefault(variable, value)
    try:
        onnxruntime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise ModelFailed.because(
            "load", f"{path.name} needs the package onnxruntime in the project's requirements: {error}"
        ) from None
    accelerator.confirm()
    providers = _providers(onnxruntime)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    # Threads that spin between two calls take the core that the service needs to read requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise ModelFailed.because("load", f"{path.name}: {tracebacks.summary(error)}") from None
    if providers[0] not in session.get_providers():
        accelerator.refuse_or_allow(f"onnxruntime could not start {providers[0]} (are CUDA and cuDNN in the image?)")
    return session


def _providers(onnxruntime: Any) -> list[str]:
    if not accelerator.wants_cuda():
        return ["CPUExecutionProvider"]
    accelerator.preload(onnxruntime)
    return [_CUDA, "CPUExecutionProvider"]


def _from_maps(rows: Sequence[dict[Any, float]]) -> Array:
    """Probabilities in the order of the classes."""
    return np.array([[row[key] for key in sorted(row)] for row in rows], dtype=np.float32)

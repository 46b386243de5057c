"""The answer to an inference request: outputs as JSON, as bytes, or some of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from modelship_service.api.oip import binary
from modelship_service.api.oip.asked import Asked
from modelship_service.schema import datatypes
from modelship_service.schema.datatypes import Array
from modelship_service.schema.schema import OutputError
from modelship_service.schema.tensor import TensorSpec


class Answer:
    """`headers` and `content_type` are known once it is encoded."""

    def __init__(self, model: str, version: str, asked: Asked, specs: Sequence[TensorSpec]) -> None:
        self.headers: list[tuple[str, str]] = []
        self.content_type = "application/json"
        self._head: dict[str, Any] = {"model_name": model, "model_version": version}
        if asked.id is not None:
            self._head["id"] = asked.id
        self._wanted = asked.outputs
        self._datatypes = {spec.name: spec.datatype for spec in specs}

    def encode(self, tensors: Mapping[str, Array]) -> bytes:
        outputs: list[dict[str, Any]] = []
        parts: list[bytes | memoryview] = []
        for name, as_bytes in self._wanted.items():
            array, datatype = tensors[name], self._datatypes[name]
            output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": array.shape}
            if as_bytes:
                parts.append(binary.write(array, datatype))
                output["parameters"] = {"binary_data_size": len(parts[-1])}
            else:
                output["data"] = _listed(name, array, datatype)
            outputs.append(output)
        text = msgspec.json.encode({**self._head, "outputs": outputs})
        if not parts:
            return text
        text = binary.pad(text)
        self.content_type = "application/octet-stream"
        self.headers = [(binary.HEADER.decode(), str(len(text)))]
        return b"".join((text, *parts))


def _listed(name: str, array: Array, datatype: str) -> list[Any]:
    """Flat, in row-major order."""
    flat = array.reshape(-1)
    if datatype == "BYTES":
        try:
            return [one.decode() for one in flat]
        except UnicodeDecodeError:
            raise OutputError(f"predict returned {name} with bytes that are no text, which JSON cannot hold") from None
    if datatypes.is_float(datatype) and not datatypes.is_finite(flat):
        raise OutputError(f"predict returned {name} with a number that is not finite, which JSON cannot hold")
    listed: list[Any] = (flat.astype(np.float32) if datatype == "BF16" else flat).tolist()
    return listed

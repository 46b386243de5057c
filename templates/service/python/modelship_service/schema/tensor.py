"""Tensors as the Open Inference Protocol names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorSpec:
    """`shape` begins with the batch; -1 where a length is free."""

    name: str
    datatype: str
    shape: tuple[int, ...]

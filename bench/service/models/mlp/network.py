"""An ONNX network of about 2 ms a row, and about a third of that a row in a batch. reference.py makes the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

WIDTH = 256


class Network:
    def __init__(self, files: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(files / "mlp.onnx", options, providers=["CPUExecutionProvider"])

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"features": rows})[0]

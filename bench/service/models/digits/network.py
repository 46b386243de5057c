"""Logistic regression in numpy, as small as a model gets: what a server adds is nearly all that is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WIDTH = 64


class Network:
    def __init__(self, files: Path) -> None:
        random = np.random.default_rng(0)
        self.weights = random.standard_normal((WIDTH, 10), dtype=np.float32) / 16
        self.bias = random.standard_normal(10, dtype=np.float32)

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        scores = rows @ self.weights + self.bias
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

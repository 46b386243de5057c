from pathlib import Path

import numpy as np
from network import WIDTH, Network
from pydantic import BaseModel, Field


class Input(BaseModel):
    features: list[float] = Field(min_length=WIDTH, max_length=WIDTH)


class Output(BaseModel):
    digit: int
    probabilities: list[float]


class Model:
    def load(self, files: Path) -> None:
        self.network = Network(files)

    def predict(self, rows: list[Input]) -> list[Output]:
        found = self.network.probabilities(np.array([row.features for row in rows], np.float32))
        return [
            Output(digit=digit, probabilities=probabilities)
            for digit, probabilities in zip(found.argmax(axis=1).tolist(), found.tolist(), strict=True)
        ]

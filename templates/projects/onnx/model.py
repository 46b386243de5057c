"""Tells from a chemical analysis which of three cultivars a wine was made of."""

from pathlib import Path

import numpy as np
import onnxruntime
from pydantic import BaseModel, Field


class Input(BaseModel):
    alcohol: float = Field(ge=0, le=100, description="percent by volume")
    malic_acid: float = Field(ge=0)
    ash: float = Field(ge=0)
    alcalinity_of_ash: float = Field(ge=0)
    magnesium: float = Field(ge=0)
    total_phenols: float = Field(ge=0)
    flavanoids: float = Field(ge=0)
    nonflavanoid_phenols: float = Field(ge=0)
    proanthocyanins: float = Field(ge=0)
    color_intensity: float = Field(ge=0)
    hue: float = Field(ge=0)
    od280_od315: float = Field(ge=0, description="OD280/OD315 of the diluted wine")
    proline: float = Field(ge=0)


class Output(BaseModel):
    cultivar: int = Field(ge=0, le=2, description="the most likely cultivar")
    probabilities: list[float] = Field(description="one for each cultivar from 0 to 2")


class Model:
    def load(self, files: Path) -> None:
        options = onnxruntime.SessionOptions()
        # One thread is the fastest for a small model; a large one may want as many as there are cores.
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            files / "wine.onnx", options, providers=["CPUExecutionProvider"]
        )

    def predict(self, rows: list[Input]) -> list[Output]:
        # The fields are in the order of the columns that the model was trained on.
        features = np.array([list(row.model_dump().values()) for row in rows], dtype=np.float32)
        [probabilities] = self.session.run(["probabilities"], {"features": features})
        return [Output(cultivar=row.argmax(), probabilities=row.tolist()) for row in probabilities]

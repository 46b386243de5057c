"""Reads a handwritten digit from an image of 8 x 8 pixels."""

from pathlib import Path
from typing import Annotated

import numpy as np
import skops.io
from pydantic import BaseModel, Field

# Types that the model file may hold besides those that skops knows to be safe. A file with others is refused.
TRUSTED: list[str] = []


class Input(BaseModel):
    pixels: list[Annotated[float, Field(ge=0, le=16)]] = Field(
        min_length=64,
        max_length=64,
        description="8 rows of 8 pixels, from 0 (paper) to 16 (ink)",
    )


class Output(BaseModel):
    digit: int = Field(ge=0, le=9, description="the most likely digit")
    probabilities: list[float] = Field(description="one for each digit from 0 to 9")


class Model:
    def load(self, files: Path) -> None:
        self.classifier = skops.io.load(files / "digits.skops", trusted=TRUSTED)

    def predict(self, rows: list[Input]) -> list[Output]:
        pixels = np.array([row.pixels for row in rows])
        probabilities = self.classifier.predict_proba(pixels)
        return [Output(digit=row.argmax(), probabilities=row.tolist()) for row in probabilities]

"""A score from three features: an example to put your own model in the place of."""

import json
from pathlib import Path

from pydantic import BaseModel, Field


class Input(BaseModel):
    """One row of a request. Each field is checked before the model sees it."""

    features: list[float] = Field(min_length=3, max_length=3)


class Output(BaseModel):
    """The answer to one row."""

    score: float


class Model:
    def load(self, files: Path) -> None:
        """Called once, before the first request. `files` is the folder with what you put into model/."""
        weights = json.loads((files / "weights.json").read_text())
        self.intercept: float = weights["intercept"]
        self.weights: list[float] = weights["weights"]

    def predict(self, rows: list[Input]) -> list[Output]:
        """Gets one row or more, of one request or of many, and answers each in the same order."""
        return [Output(score=self.score(row.features)) for row in rows]

    def score(self, features: list[float]) -> float:
        return self.intercept + sum(weight * value for weight, value in zip(self.weights, features))

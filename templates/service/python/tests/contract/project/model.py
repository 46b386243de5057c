"""What the contract is asked of: rows with faults to order, a stream, a chat and embeddings."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Input(BaseModel):
    point: list[Annotated[float, Field(ge=-1000, le=1000)]] = Field(min_length=3, max_length=3)
    scale: float = 1.0
    name: str = Field(default="", max_length=100)
    wait: float = Field(default=0.0, ge=0, le=10)
    fault: Literal["none", "raise", "nan"] = "none"


class Output(BaseModel):
    total: float
    doubled: Annotated[list[float], Field(min_length=3, max_length=3)]
    greeting: str


class Model:
    def load(self, files: Path) -> None:
        self.word = (files / "greeting.txt").read_text().strip()

    def predict(self, rows: list[Input]) -> list[Output]:
        return [self.answer(row) for row in rows]

    def answer(self, row: Input) -> Output:
        time.sleep(row.wait)
        if row.fault == "raise":
            raise ValueError("secret of the model")
        total = float("nan") if row.fault == "nan" else row.scale * sum(row.point)
        return Output(total=total, doubled=[2 * one for one in row.point], greeting=f"{self.word} {row.name}")

    def chat(self, messages: list[dict], *, max_tokens: int = 100) -> Iterator[str]:
        for word in messages[-1]["content"].split()[:max_tokens]:
            yield f"{word} "

    def embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in texts]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


class Count(BaseModel):
    up_to: int = Field(ge=1, le=1_000_000)
    pause: float = Field(default=0.0, ge=0, le=10)
    fail_at: int = -1


class Number(BaseModel):
    number: int


class Counter:
    def load(self, files: Path) -> None: ...

    def predict(self, row: Count) -> Iterator[Number]:
        for number in range(row.up_to):
            if number == row.fail_at:
                raise ValueError("secret of the model")
            yield Number(number=number)
            time.sleep(row.pause)

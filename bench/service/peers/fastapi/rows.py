import os
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from network import WIDTH, Network
from pydantic import BaseModel, Field

app = FastAPI()
network = Network(Path(os.environ["BENCH_FILES"]))


class Input(BaseModel):
    features: list[float] = Field(min_length=WIDTH, max_length=WIDTH)


class Output(BaseModel):
    digit: int
    probabilities: list[float]


@app.post("/predict")
async def predict(row: Input) -> Output:
    found = network.probabilities(np.array([row.features], np.float32))[0]
    return Output(digit=int(found.argmax()), probabilities=found.tolist())

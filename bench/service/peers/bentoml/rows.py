import os
from pathlib import Path
from typing import Annotated

import bentoml
import numpy as np
from annotated_types import Len
from network import WIDTH, Network
from pydantic import BaseModel


class Output(BaseModel):
    digit: int
    probabilities: list[float]


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Rows:
    def __init__(self) -> None:
        self.network = Network(Path(os.environ["BENCH_FILES"]))

    @bentoml.api
    async def plain(self, features: Annotated[list[float], Len(WIDTH, WIDTH)]) -> Output:
        found = self.network.probabilities(np.array([features], np.float32))[0]
        return Output(digit=int(found.argmax()), probabilities=found.tolist())

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    async def batchable(self, features: list[list[float]]) -> list[Output]:
        found = self.network.probabilities(np.array(features, np.float32))
        return [Output(digit=int(row.argmax()), probabilities=row.tolist()) for row in found]

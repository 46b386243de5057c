import network
import numpy as np
from fastapi import FastAPI, Request
from pydantic import BaseModel

app = FastAPI()


class Input(BaseModel):
    image: list[list[list[float]]]


class Output(BaseModel):
    means: list[float]


@app.post("/json")
async def of_json(body: Input) -> Output:
    return Output(means=network.means(np.array([body.image], np.float32))[0].tolist())


@app.post("/raw")
async def of_bytes(request: Request) -> Output:
    images = np.frombuffer(await request.body(), np.float32).reshape(1, *network.SHAPE)
    return Output(means=network.means(images)[0].tolist())

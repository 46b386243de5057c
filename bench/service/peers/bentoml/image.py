"""JSON, or the tensor's bytes as they are."""

from typing import Annotated

import bentoml
import network
import numpy as np
from bentoml.validators import DType, Shape
from pydantic import BaseModel


class Output(BaseModel):
    means: list[float]


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Image:
    @bentoml.api
    async def json(self, image: Annotated[np.ndarray, Shape(network.SHAPE), DType("float32")]) -> Output:
        return Output(means=network.means(image[None])[0].tolist())

    @bentoml.api
    async def raw(self, image: bytes, /) -> Output:
        images = np.frombuffer(image, np.float32).reshape(1, *network.SHAPE)
        return Output(means=network.means(images)[0].tolist())

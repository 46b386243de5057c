"""JSON, or the tensor's bytes as a file in a form: the one way that LitServe takes bytes."""

import os

import litserve
import network
import numpy as np
from fastapi import Request


class Image(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request: Request):
        image = request["image"]
        if isinstance(image, list):
            return np.array(image, np.float32)
        return np.frombuffer(image.file.read(), np.float32).reshape(network.SHAPE)

    def predict(self, image):
        return network.means(image[None])[0]

    def encode_response(self, means):
        return {"means": means.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Image(), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )

"""What Python can do behind uvicorn: no validation beyond the types, no key, no limits, no log, no batches."""

import os
from pathlib import Path

import msgspec
import numpy as np
from network import Network

network = Network(Path(os.environ["BENCH_FILES"]))


class Input(msgspec.Struct):
    features: list[float]


class Output(msgspec.Struct):
    digit: int
    probabilities: list[float]


decode = msgspec.json.Decoder(Input).decode
encode = msgspec.json.Encoder().encode


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    chunks = []
    while True:
        message = await receive()
        chunks.append(message["body"])
        if not message["more_body"]:
            break
    row = decode(b"".join(chunks))
    found = network.probabilities(np.array([row.features], np.float32))[0]
    body = encode(Output(int(found.argmax()), found.tolist()))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

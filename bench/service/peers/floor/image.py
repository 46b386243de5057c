"""As in rows.py. JSON at /json, the bare bytes of a float32 tensor at /raw."""

import msgspec
import network
import numpy as np


class Input(msgspec.Struct):
    image: list[list[list[float]]]


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
    body = b"".join(chunks)
    if scope["path"] == "/json":
        images = np.array([decode(body).image], np.float32)
    else:
        images = np.frombuffer(body, np.float32).reshape(1, *network.SHAPE)
    body = encode({"means": network.means(images)[0].tolist()})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""The clients that people have: tritonclient and openai, unmodified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from .client import Caller

POINTS = np.arange(6, dtype=np.float64).reshape(2, 3)
HELLO: list[Any] = [{"role": "user", "content": "one two three"}]


@pytest.fixture(scope="module")
def tensors(caller: Caller) -> Iterator[triton.InferenceServerClient]:
    host, port = caller.address
    with triton.InferenceServerClient(f"{host}:{port}") as client:
        yield client


@pytest.fixture(scope="module")
def chats(caller: Caller) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{caller.url}/v1", api_key=caller.key, max_retries=0, timeout=20) as client:
        yield client


def inputs(binary: bool, points: Any = POINTS) -> list[triton.InferInput]:
    point = triton.InferInput("point", points.shape, "FP64")
    name = triton.InferInput("name", [len(points)], "BYTES")
    point.set_data_from_numpy(points, binary_data=binary)
    name.set_data_from_numpy(np.array(["é"] * len(points), dtype=object), binary_data=binary)
    return [point, name]


def test_tritonclient_learns_what_is_served(tensors: triton.InferenceServerClient, caller: Caller, name: str) -> None:
    assert tensors.is_server_live() and tensors.is_server_ready()
    assert tensors.is_model_ready(name, "1", headers=caller.headers())
    about = tensors.get_model_metadata(name, "1", headers=caller.headers())
    assert (about["name"], about["versions"]) == (name, ["1", "2"])
    assert {"name": "point", "datatype": "FP64", "shape": [-1, 3]} in about["inputs"]
    assert {"name": "greeting", "datatype": "BYTES", "shape": [-1]} in about["outputs"]


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("binary", [False, True])
def test_tritonclient_infers(
    tensors: triton.InferenceServerClient, caller: Caller, name: str, binary: bool, compression: str | None
) -> None:
    result = tensors.infer(
        name,
        inputs(binary),
        model_version="1",
        outputs=[triton.InferRequestedOutput(one, binary_data=binary) for one in ("total", "doubled", "greeting")],
        headers=caller.headers(),
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    assert result.as_numpy("total").tolist() == [3.0, 12.0]
    assert np.array_equal(result.as_numpy("doubled"), POINTS * 2)
    greetings = [one if isinstance(one, bytes) else one.encode() for one in result.as_numpy("greeting")]
    assert greetings == ["hello é".encode()] * 2


def test_tritonclient_is_told_errors_in_its_own_terms(
    tensors: triton.InferenceServerClient, caller: Caller, name: str
) -> None:
    for model, points, headers, status in (
        (name, POINTS * 1000, caller.headers(), "422"),
        (name, POINTS[:, :2], caller.headers(), "422"),
        ("another", POINTS, caller.headers(), "404"),
        (name, POINTS, {}, "401"),
    ):
        with pytest.raises(InferenceServerException) as caught:
            tensors.infer(model, inputs(True, points), model_version="1", headers=headers)
        assert caught.value.status() == status


def test_tensors_for_a_stream_are_refused_and_generate_stream_is_there(caller: Caller, name: str) -> None:
    answer = caller.post(f"/v2/models/{name}/versions/2/infer", {"inputs": []})
    assert answer.status == 400 and isinstance(answer.json["error"], str)
    streamed = caller.post(f"/v2/models/{name}/versions/2/generate_stream", {"up_to": 2})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert b'"number":1' in streamed.body


@pytest.mark.openai
def test_openai_chats(chats: openai.OpenAI, name: str) -> None:
    answer = chats.chat.completions.create(model=name, messages=HELLO, max_tokens=2)
    assert answer.choices[0].message.content == "one two "
    assert answer.usage is not None and answer.usage.total_tokens == 5


@pytest.mark.openai
def test_openai_chats_in_pieces(chats: openai.OpenAI, name: str) -> None:
    options: Any = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = chats.chat.completions.create(model=name, messages=HELLO, **options)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two three "
    assert (chunks[-1].choices[0].finish_reason, last.usage.prompt_tokens) == ("stop", 3)


@pytest.mark.openai
def test_openai_embeds(chats: openai.OpenAI, name: str) -> None:
    forms: list[Any] = [{}, {"encoding_format": "float"}]
    for form in forms:
        data = chats.embeddings.create(model=name, input=["one", "three"], **form).data
        assert [one.embedding for one in data] == [[3.0, 0.5], [5.0, 0.5]]


@pytest.mark.openai
def test_openai_lists_models_and_raises_its_own_errors(chats: openai.OpenAI, name: str) -> None:
    assert name in [one.id for one in chats.models.list()]
    with pytest.raises(openai.NotFoundError):
        chats.embeddings.create(model="another", input="x")
    with pytest.raises(openai.BadRequestError) as wrong:
        chats.chat.completions.create(model=name, messages=[])
    assert wrong.value.param == "messages"
    with pytest.raises(openai.AuthenticationError):
        chats.with_options(api_key="another-key-altogether").models.list()

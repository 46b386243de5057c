"""The Open Inference Protocol, asked by clients that people have: tritonclient, and plain HTTP as KServe sends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from conftest import SUM_MODEL, Running
from onnx import TensorProto, helper
from tritonclient.http.auth import BasicAuth
from tritonclient.utils import InferenceServerException

KEY = "ms_abcdefghij_" + "k" * 43

ARRAYS_MODEL = """
from pathlib import Path
from typing import NamedTuple
import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped


class Answer(NamedTuple):
    total: Float32[np.ndarray, "n"]
    twice: Float32[np.ndarray, "n 2 3"]
    upper: Shaped[np.ndarray, "n"]


class Model:
    def load(self, files: Path) -> None: ...

    def predict(self, image: Float32[np.ndarray, "n 2 3"], text: Shaped[np.ndarray, "n"]) -> Answer:
        if "raise" in text:
            raise ValueError("secret of the user")
        if "float64" in text:
            return Answer(image.sum(axis=(1, 2)).astype(float), image * 2, text)
        return Answer(image.sum(axis=(1, 2)), image * 2, np.array([one.upper() for one in text], dtype=object))
"""

IMAGE = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
TEXT = np.array(["é", "b"], dtype=object)


@pytest.fixture(scope="module")
def arrays(start: Callable[..., Running]) -> Running:
    return start(ARRAYS_MODEL, MODELSHIP_NAME="arrays", MODELSHIP_API_KEYS=f"ci={KEY}").ready()


@pytest.fixture(scope="module")
def two_versions(start: Callable[..., Running]) -> Running:
    entry = "v1=model.py:Model,v2=model.py:Second"
    second = "\n\nclass Second(Model):\n    def predict(self, rows: list[Input]) -> list[Output]:\n"
    second += "        return [Output(total=-sum(row.numbers), label=row.label) for row in rows]\n"
    return start(SUM_MODEL + second, MODELSHIP_NAME="sums", MODELSHIP_VERSION="1.2.0", MODELSHIP_ENTRY=entry).ready()


def bearer() -> dict[str, str]:
    """A new one for each call, since the client writes into it."""
    return {"Authorization": f"Bearer {KEY}"}


def inputs(module: Any = triton, as_bytes: bool = True, image: Any = IMAGE, text: Any = TEXT) -> list[Any]:
    tensors = [
        module.InferInput("image", image.shape, "FP32"),
        module.InferInput("text", text.shape, "BYTES"),
    ]
    tensors[0].set_data_from_numpy(image, binary_data=as_bytes)
    tensors[1].set_data_from_numpy(text, binary_data=as_bytes)
    return tensors


def check(result: Any, text: tuple[bytes, ...] = ("É".encode(), b"B")) -> None:
    assert np.array_equal(result.as_numpy("total"), IMAGE.sum(axis=(1, 2)))
    assert np.array_equal(result.as_numpy("twice"), IMAGE * 2)
    assert [one if isinstance(one, bytes) else one.encode() for one in result.as_numpy("upper")] == list(text)


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("bytes_in", [False, True])
@pytest.mark.parametrize("bytes_out", [False, True, None])
def test_tritonclient(arrays: Running, compression: Any, bytes_in: bool, bytes_out: bool | None) -> None:
    names = ("total", "twice", "upper")
    outputs = None if bytes_out is None else [triton.InferRequestedOutput(one, binary_data=bytes_out) for one in names]
    with triton.InferenceServerClient(f"127.0.0.1:{arrays.port}") as client:
        result = client.infer(
            "arrays",
            inputs(as_bytes=bytes_in),
            outputs=outputs,
            request_id="mine",
            headers=bearer(),
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        )
    check(result)
    answer = result.get_response()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("arrays", "1", "mine")


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_tritonclient_for_asyncio(arrays: Running, compression: Any, as_bytes: bool) -> None:
    async def ask() -> list[Any]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{arrays.port}") as client:
            assert await client.is_server_live()
            calls = [
                client.infer(
                    "arrays",
                    inputs(triton_aio, as_bytes),
                    headers=bearer(),
                    request_compression_algorithm=compression,
                    response_compression_algorithm=compression,
                )
                for _ in range(8)
            ]
            return await asyncio.gather(*calls)

    for result in asyncio.run(ask()):
        check(result)


def test_a_basic_password_is_the_key(arrays: Running) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{arrays.port}") as client:
        client.register_plugin(BasicAuth("anyone", KEY))
        check(client.infer("arrays", inputs()))
        client.unregister_plugin()
        with pytest.raises(InferenceServerException) as caught:
            client.infer("arrays", inputs())
    assert caught.value.status() == "401"
    assert "key" in caught.value.message()


def test_what_is_served(arrays: Running) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{arrays.port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("arrays", headers=bearer())
        assert client.is_model_ready("arrays", "1", headers=bearer())
        assert client.get_server_metadata(headers=bearer())["extensions"][0] == "binary_tensor_data"
        about = client.get_model_metadata("arrays", headers=bearer())
        assert about["versions"] == ["1"]
        assert about["inputs"] == [
            {"name": "image", "datatype": "FP32", "shape": [-1, 2, 3]},
            {"name": "text", "datatype": "BYTES", "shape": [-1]},
        ]
        config = client.get_model_config("arrays", headers=bearer())
        assert config["input"][1] == {"name": "text", "data_type": "TYPE_STRING", "dims": []}
        index = client.get_model_repository_index(headers=bearer())
        assert index == [{"name": "arrays", "version": "1", "state": "READY", "reason": ""}]
        client.infer("arrays", inputs(), headers=bearer())
        [stats] = client.get_inference_statistics("arrays", headers=bearer())["model_stats"]
        assert stats["inference_count"] >= 2
        assert stats["inference_stats"]["compute_infer"]["ns"] > 0


@pytest.mark.parametrize(
    ("model", "version", "change", "status", "message"),
    [
        ("other", "", {}, "404", "there is no such model; the model here is arrays"),
        ("arrays", "2", {}, "404", "there is no such version"),
        ("arrays", "", {"image": IMAGE[:1]}, "422", "text: must have 1 rows, as image has"),
        ("arrays", "", {"image": IMAGE[:, :1]}, "422", "image: must have the shape [-1, 2, 3]"),
        ("arrays", "", {"text": np.array([b"\xff", b"b"], object)}, "422", "text: must be UTF-8"),
        ("arrays", "", {"text": np.array(["raise", "b"], object)}, "500", "the model failed on this request"),
        ("arrays", "", {"text": np.array(["float64", "b"], object)}, "500", "the model failed on this request"),
    ],
)
def test_errors_are_in_the_clients_own_terms(
    arrays: Running, model: str, version: str, change: Any, status: str, message: str
) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{arrays.port}") as client:
        with pytest.raises(InferenceServerException) as caught:
            client.infer(model, inputs(**change), model_version=version, headers=bearer())
        check(client.infer("arrays", inputs(), headers=bearer()))
    assert caught.value.status() == status
    assert message in caught.value.message()
    assert "secret" not in caught.value.message()


def test_headers_left_from_another_request_are_named(arrays: Running) -> None:
    stale = bearer() | {"Inference-Header-Content-Length": "9999"}
    answer = arrays.ask("POST", "/v2/models/arrays/infer", b'{"inputs": []}', stale)
    assert (answer.status, "Inference-Header-Content-Length" in answer.json["error"]) == (400, True)


def test_classification_is_refused(arrays: Running) -> None:
    with (
        triton.InferenceServerClient(f"127.0.0.1:{arrays.port}") as client,
        pytest.raises(InferenceServerException) as e,
    ):
        outputs = [triton.InferRequestedOutput("total", class_count=3)]
        client.infer("arrays", inputs(), outputs=outputs, headers=bearer())
    assert "classification is not supported" in e.value.message()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/arrays", 401),
        ("GET", "/v2", 401),
        ("POST", "/v2/models/arrays/infer", 401),
        ("GET", "/v2/unknown", 401),
        ("GET", "/v2/health/live", 200),
        ("GET", "/v2/health/ready", 200),
    ],
)
def test_only_probes_are_open(arrays: Running, method: str, path: str, status: int) -> None:
    answer = arrays.ask(method, path)
    assert answer.status == status
    if status == 401:
        assert isinstance(answer.json["error"], str)


def test_as_kserve_reads_it(arrays: Running) -> None:
    assert arrays.ask("GET", "/v2/health/live").json == {"live": True}
    assert arrays.ask("GET", "/v2/health/ready").json == {"ready": True}
    assert arrays.ask("GET", "/v2/models", None, bearer()).json == {"models": ["arrays"]}
    assert arrays.ask("GET", "/v2/models/arrays/ready", None, bearer()).json == {"name": "arrays", "ready": True}
    missing = arrays.ask("GET", "/v2/models/other", None, bearer())
    assert (missing.status, missing.headers["content-type"]) == (404, "application/json")
    assert isinstance(missing.json["error"], str)
    none = arrays.ask("GET", "/v2/nothing/here", None, bearer())
    assert (none.status, isinstance(none.json["error"], str)) == (404, True)


def test_a_model_of_rows_is_seen_as_tensors(two_versions: Running) -> None:
    numbers = triton.InferInput("numbers", [2, 3], "FP32")
    numbers.set_data_from_numpy(np.array([[1, 2, 3], [4, 5, 6]], np.float32))
    label = triton.InferInput("label", [2], "BYTES")
    label.set_data_from_numpy(np.array(["é", ""], dtype=object))
    with triton.InferenceServerClient(f"127.0.0.1:{two_versions.port}") as client:
        about = client.get_model_metadata("sums")
        assert about["versions"] == ["1", "2"]
        assert {"name": "numbers", "datatype": "FP64", "shape": [-1, -1]} in about["inputs"]
        for version, sign in (("1", 1), ("2", -1), ("", -1)):
            result = client.infer("sums", [numbers, label], model_version=version)
            assert result.as_numpy("total").tolist() == [6 * sign, 15 * sign]
            assert result.as_numpy("label").tolist() == ["é".encode(), b""]
            assert result.as_numpy("note").tolist() == [b"null", b"null"]
        with pytest.raises(InferenceServerException) as caught:
            client.infer("sums", [label])
        assert caught.value.message() == "numbers: a value is needed"


def test_plain_json(two_versions: Running) -> None:
    body = {"inputs": [{"name": "numbers", "datatype": "FP64", "shape": [1, 2], "data": [[1.5, 2]]}]}
    body["outputs"] = [{"name": "total"}]  # type: ignore[assignment]
    answer = two_versions.ask("POST", "/v2/models/sums/versions/1/infer", json.dumps(body).encode())
    assert answer.json == {
        "model_name": "sums",
        "model_version": "1",
        "outputs": [{"name": "total", "datatype": "FP64", "shape": [1], "data": [3.5]}],
    }


def test_versions_in_the_index(two_versions: Running) -> None:
    index = two_versions.ask("POST", "/v2/repository/index", b'{"ready": true}').json
    assert [one["version"] for one in index] == ["1", "2"]
    assert two_versions.ask("POST", "/v2/repository/index", b"").status == 200
    assert two_versions.ask("POST", "/v2/repository/index", b'{"ready": 7}').status == 400


def test_onnx_without_code(start: Callable[..., Running], tmp_path: Any) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["in:0"], ["out:0"])],
        "graph",
        [helper.make_tensor_value_info("in:0", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("out:0", TensorProto.FLOAT, ["batch", 2])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "relu.onnx"
    )
    service = start(None, MODELSHIP_ENTRY="onnx", MODELSHIP_FILES=str(tmp_path)).ready()
    assert service.predict({"in:0": [-1, 2]}).json == {"out:0": [0, 2]}
    tensor = triton.InferInput("in:0", [1, 2], "FP32")
    tensor.set_data_from_numpy(np.array([[3, -4]], np.float32))
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        assert client.infer("model", [tensor]).as_numpy("out:0").tolist() == [[3, 0]]


def test_a_body_that_is_all_tensor(start: Callable[..., Running]) -> None:
    model = """
import numpy as np
from jaxtyping import UInt8, Int64
class Model:
    def load(self, files): ...
    def predict(self, image: UInt8[np.ndarray, "n 4"]) -> Int64[np.ndarray, "n"]:
        return image.sum(axis=1).astype(np.int64)
"""
    service = start(model).ready()
    headers = {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}
    answer = service.ask("POST", "/v2/models/model/infer", bytes([1, 2, 3, 4, 5, 6, 7, 8]), headers)
    head = int(answer.headers["inference-header-content-length"])
    assert np.frombuffer(answer.body[head:], np.int64).tolist() == [10, 26]
    assert answer.headers["content-type"] == "application/octet-stream"


WRITER_MODEL = """
import time
from collections.abc import Iterator
from pydantic import BaseModel

class Input(BaseModel):
    text_input: str
    times: int = 2

class Piece(BaseModel):
    text_output: str
    index: int

class Model:
    def load(self, files): ...
    def predict(self, row: Input) -> Iterator[Piece]:
        for index in range(row.times):
            time.sleep(0.02)
            if row.text_input == "raise" and index == 1:
                raise ValueError("secret of the user")
            yield Piece(text_output=row.text_input, index=index)
    def complete(self, prompt: str, max_tokens: int = 3): ...
"""

COMPLETE_MODEL = """
class Model:
    def load(self, files): ...
    def complete(self, prompt: str, max_tokens: int = 3):
        for number in range(max_tokens):
            yield f"{prompt}{number} "
"""


def frames(body: bytes) -> list[Any]:
    return [json.loads(one.removeprefix(b"data: ")) for one in body.split(b"\n\n") if one.startswith(b"data: ")]


@pytest.fixture(scope="module")
def writer(start: Callable[..., Running]) -> Running:
    return start(WRITER_MODEL, MODELSHIP_NAME="writer").ready()


def generate(service: Running, body: Any, stream: bool = False) -> Any:
    path = f"/v2/models/{service.event('listening')['name']}/generate{'_stream' if stream else ''}"
    return service.ask("POST", path, json.dumps(body).encode())


HEAD = {"model_name": "writer", "model_version": "1"}


def test_generate_answers_with_the_fields_of_a_row(writer: Running) -> None:
    body = {"id": "mine", "text_input": "ab", "parameters": {"times": 3, "temperature": 0.5}}
    assert generate(writer, body).json == {**HEAD, "id": "mine", "text_output": "ababab", "index": 2}
    streamed = generate(writer, {"text_input": "é"}, stream=True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert frames(streamed.body) == [{**HEAD, "text_output": "é", "index": index} for index in (0, 1)]


def test_generate_tells_errors_in_the_protocols_words(writer: Running) -> None:
    assert generate(writer, {"text_input": 7}).json == {"error": "text_input: must be a string"}
    assert generate(writer, [7]).json == {"error": "body: must be an object"}
    assert generate(writer, {"text_input": "raise"}).status == 500
    broken = frames(generate(writer, {"text_input": "raise"}, stream=True).body)
    assert broken[0]["text_output"] == "raise"
    assert "the model failed" in broken[1]["error"]


def test_a_model_that_answers_in_pieces_is_not_asked_in_tensors(writer: Running) -> None:
    answer = writer.ask("POST", "/v2/models/writer/infer", b'{"inputs": []}')
    assert (answer.status, "generate_stream" in answer.json["error"]) == (400, True)


def test_generate_of_a_model_that_completes(start: Callable[..., Running]) -> None:
    service = start(COMPLETE_MODEL, MODELSHIP_NAME="writer").ready()
    assert generate(service, {"text_input": "a"}).json == {**HEAD, "text_output": "a0 a1 a2 "}
    streamed = generate(service, {"text_input": "a", "parameters": {"max_tokens": 2}}, stream=True)
    assert [one["text_output"] for one in frames(streamed.body)] == ["a0 ", "a1 "]
    assert generate(service, {}).json == {"error": "text_input: must be a string"}
    assert generate(service, {"text_input": "a", "max_tokens": 0}).status == 400


def test_generate_of_a_model_of_rows(two_versions: Running) -> None:
    answer = two_versions.ask("POST", "/v2/models/sums/versions/1/generate", b'{"numbers": [1, 2], "label": "x"}')
    assert answer.json == {"model_name": "sums", "model_version": "1", "total": 3, "label": "x", "note": None}

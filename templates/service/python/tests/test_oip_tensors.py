# ruff: noqa: F722, F821 (what jaxtyping writes in quotes are dimensions, not Python)
import json
import struct
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jaxtyping import Float32, Int64, Shaped

from modelship_service.api.oip import asked, binary
from modelship_service.api.oip.answer import Answer
from modelship_service.api.oip.asked import Asked
from modelship_service.errors import ApiError
from modelship_service.schema import datatypes
from modelship_service.schema.arrays import ArraySchema
from modelship_service.schema.schema import OutputError
from modelship_service.schema.tensor import TensorSpec

Nd = np.ndarray


class Outputs(NamedTuple):
    scores: Float32[Nd, "n 2"]
    label: Shaped[Nd, "n"]


class Model:
    def load(self, files: Any) -> None: ...
    def predict(self, x: Float32[Nd, "n 2"], text: Shaped[Nd, "n"]) -> Outputs: ...


class One(Model):
    def predict(self, x: Float32[Nd, "n 2 2"]) -> Float32[Nd, "n"]: ...


class Free(Model):
    def predict(self, x: Int64[Nd, "n length"]) -> Float32[Nd, "n"]: ...


class Text(Model):
    def predict(self, x: Shaped[Nd, "n"]) -> Float32[Nd, "n"]: ...


SCHEMA = ArraySchema.of(Model, 8)
X = np.array([[1, 2], [3, 4]], np.float32)
X_JSON = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}
TEXT_JSON = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "é"]}
STRINGS = struct.pack("<I", 1) + b"a" + struct.pack("<I", 2) + "é".encode()


def read(head: Any, tail: bytes = b"", header: bytes | None = None, schema: ArraySchema = SCHEMA) -> Asked:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    if tail and header is None:
        header = b"%d" % len(text)
    return asked.read(text + tail, header, schema, max_depth=64)


def refusal(head: Any, tail: bytes = b"", header: bytes | None = None, schema: ArraySchema = SCHEMA) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(head, tail, header, schema)
    assert caught.value.status in (400, 422)
    return caught.value


def in_binary(name: str, datatype: str, shape: list[int], size: int, **others: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}, **others}


def test_json_and_bytes_are_the_same_tensors() -> None:
    as_json = read({"inputs": [X_JSON, TEXT_JSON]})
    as_bytes = read(
        {"inputs": [in_binary("x", "FP32", [2, 2], 16), in_binary("text", "BYTES", [2], len(STRINGS))]},
        X.tobytes() + STRINGS,
    )
    mixed = read({"inputs": [X_JSON, in_binary("text", "BYTES", [2], len(STRINGS))]}, STRINGS)
    for request in (as_json, as_bytes, mixed):
        assert np.array_equal(request.tensors["x"], X)
        assert request.tensors["text"].tolist() == [b"a", "é".encode()]
        assert SCHEMA.from_tensors(request.tensors).inputs["text"].tolist() == ["a", "é"]


def test_lists_may_be_nested_as_the_shape_is() -> None:
    assert np.array_equal(read({"inputs": [X_JSON | {"data": [[1, 2], [3, 4]]}]}).tensors["x"], X)


def test_the_bytes_of_a_request_are_the_tensor() -> None:
    for spaces in range(16):
        head = json.dumps({"inputs": [in_binary("x", "FP32", [2, 2], 16)]}).encode() + b" " * spaces
        body = head + X.tobytes()
        tensor = asked.read(body, b"%d" % len(head), SCHEMA, 64).tensors["x"]
        whole = np.frombuffer(body, np.uint8)
        begins_well = (whole.__array_interface__["data"][0] + len(head)) % 4 == 0
        assert tensor.flags.aligned
        assert np.shares_memory(tensor, whole) is begins_well
        assert np.array_equal(tensor, X)


def test_which_outputs_and_how() -> None:
    inputs = {"inputs": []}
    assert read(inputs).outputs == {"scores": False, "label": False}
    assert read(inputs | {"parameters": {"binary_data_output": True}}).outputs == {"scores": True, "label": True}
    wanted = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "scores"}]
    request = read(inputs | {"outputs": wanted, "parameters": {"binary_data_output": True}})
    assert request.outputs == {"label": False, "scores": True}
    assert list(request.outputs) == ["label", "scores"]


def test_the_id_and_the_time_that_the_client_gives() -> None:
    request = read({"id": "one", "inputs": [], "parameters": {"timeout": 1_500_000, "priority": 1, "own": "x"}})
    assert (request.id, request.timeout_s) == ("one", 1.5)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "the JSON that is expected"),
        (b"{", "the JSON that is expected"),
        (b'{"inputs": [NaN]}', "the JSON that is expected"),
        (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        ([], "body: must be an object"),
        ({}, "inputs: a value is needed"),
        ({"inputs": {}}, "inputs: must be a list"),
        ({"inputs": [7]}, "inputs[0]: must be an object"),
        ({"inputs": [{"name": "x"}]}, "inputs[0].datatype: a value is needed"),
        ({"inputs": [X_JSON | {"shape": [-1, 2]}]}, "inputs[0].shape[0]: must be 0 or more"),
        ({"inputs": [X_JSON | {"shape": [1] * 33}]}, "inputs[0].shape: at most 32 items are allowed"),
        ({"inputs": [X_JSON | {"shape": [2.0, 2]}]}, "inputs[0].shape[0]: must be a whole number"),
        ({"inputs": [X_JSON | {"name": "SECRET"}]}, "*: an input that the model does not take"),
        ({"inputs": [X_JSON, X_JSON]}, "x: is given twice"),
        ({"inputs": [X_JSON | {"datatype": "SECRET"}]}, "x: its datatype must be one of BF16, BOOL"),
        ({"inputs": [X_JSON | {"data": [1, 2, 3]}]}, "x: its data must have as many values as its shape says"),
        ({"inputs": [X_JSON | {"data": [[1, 2, 3, 4]]}]}, "x: its data must have as many values as its shape says"),
        ({"inputs": [X_JSON | {"data": [[1, 2], [3]]}]}, "x[1]: must have 2 items, as the lists before it have"),
        ({"inputs": [X_JSON | {"data": [1, 2, 3, "SECRET"]}]}, "x[3]: must be a number"),
        ({"inputs": [X_JSON | {"data": [1, 2, 3, True]}]}, "x[3]: must be a number"),
        ({"inputs": [X_JSON | {"data": [1, 2, 3, 1e39]}]}, "x[3]: must be 3.4028234663852886e+38 or less"),
        ({"inputs": [X_JSON | {"data": {"SECRET": 1}}]}, "x: must be a list"),
        ({"inputs": [X_JSON | {"data": "SECRET"}]}, "x: must be a list"),
        ({"inputs": [X_JSON | {"datatype": "UINT8", "data": [1, 2, 3, 256]}]}, "x[3]: must be 255 or less"),
        ({"inputs": [X_JSON | {"datatype": "BF16"}]}, "x: BF16 must be sent as binary data"),
        ({"inputs": [X_JSON | {"shape": [0, 2**63, 2**63], "data": []}]}, "x: its shape is not one"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}]}, "x: data is needed, or binary_data_size"),
        ({"inputs": [in_binary("x", "FP32", [2, 2], 16)]}, "x: binary_data_size is more than the body has left"),
        ({"inputs": [X_JSON | {"parameters": {"shared_memory_region": "r"}}]}, "x: shared memory is not supported"),
        ({"inputs": [], "outputs": [{"name": "SECRET"}]}, "the model has no such output; it has scores, label"),
        (
            {"inputs": [], "outputs": [{"name": "scores", "parameters": {"classification": 3}}]},
            "scores: classification is not supported",
        ),
        ({"inputs": [], "parameters": {"sequence_id": 7}}, "sequence_id: the model keeps nothing"),
        ({"inputs": [], "parameters": {"timeout": "SECRET"}}, "timeout must be a number of microseconds"),
        ({"inputs": [], "id": 7}, "id: must be a string"),
    ],
)
def test_what_a_request_gets_wrong(head: Any, message: str) -> None:
    error = refusal(head)
    assert message in error.message
    assert "SECRET" not in error.body("id", "oip").decode()


@pytest.mark.parametrize(
    ("tensor", "tail", "header", "message"),
    [
        (in_binary("x", "FP32", [2, 2], 12), b"\0" * 12, None, "x: it has not as many bytes"),
        (in_binary("x", "FP32", [2, 2], 20), b"\0" * 16, None, "x: binary_data_size is more than the body has left"),
        (in_binary("x", "FP32", [2, 2], 16), b"\0" * 17, None, "the body has more bytes than its tensors have"),
        (in_binary("x", "FP32", [2**40, 2**40], 16), b"\0" * 16, None, "x: it has not as many bytes"),
        (in_binary("x", "FP32", [0, 2**62, 2**62], 0), b"\0", None, "x: its shape is not one"),
        (in_binary("x", "FP32", [2, 2], -1), b"\0" * 16, None, "x: binary_data_size must be a number of bytes"),
        (in_binary("x", "FP32", [2, 2], True), b"\0" * 16, None, "x: binary_data_size must be a number of bytes"),  # type: ignore[arg-type]
        (in_binary("x", "FP32", [2, 2], 16, data=[1]), b"\0" * 16, None, "x: it has both data and binary_data_size"),
        (in_binary("x", "BOOL", [4], 4), b"\0\1\2\1", None, "x: a BOOL must be 0 or 1"),
        (in_binary("text", "BYTES", [2], 5), b"\0" * 5, None, "text: its shape asks for more strings than there are"),
        (in_binary("text", "BYTES", [2**62], 5), b"\0" * 5, None, "text: its shape asks for more strings"),
        (in_binary("text", "BYTES", [1], 5), b"\2\0\0\0a", None, "text: a string is longer than what is left"),
        (in_binary("text", "BYTES", [1], 8), b"\xff\xff\xff\xffabcd", None, "text: a string is longer"),
        (in_binary("text", "BYTES", [1], 6), b"\1\0\0\0ab", None, "text: there are more strings than its shape"),
        (in_binary("text", "BYTES", [2], 9), b"\5\0\0\0abcde", None, "text: its shape asks for more strings"),
        (X_JSON, b"\0", b"99999", "Inference-Header-Content-Length is more than the body has"),
        (X_JSON, b"\0", b"-1", "Inference-Header-Content-Length must be a number of bytes"),
        (X_JSON, b"\0", b"1e3", "Inference-Header-Content-Length must be a number of bytes"),
        (X_JSON, b"\0", b"9" * 30, "Inference-Header-Content-Length must be a number of bytes"),
        (X_JSON, b"\0", b"5", "the JSON that is expected"),
    ],
)
def test_lengths_that_lie(tensor: Any, tail: bytes, header: bytes | None, message: str) -> None:
    error = refusal({"inputs": [tensor]}, tail, header)
    assert (error.status, message in error.message) == (400, True), error.message


def test_a_body_without_json_is_the_only_input() -> None:
    one = ArraySchema.of(One, 8)
    numbers = np.arange(8, dtype=np.float32)
    request = asked.read(numbers.tobytes(), b"0", one, 64)
    assert np.array_equal(request.tensors["x"], numbers.reshape(2, 2, 2))
    assert request.outputs == {"output": True}
    free = asked.read(np.arange(5).tobytes(), b"0", ArraySchema.of(Free, 8), 64)
    assert free.tensors["x"].tolist() == [[0, 1, 2, 3, 4]]
    text = asked.read("é".encode(), b"0", ArraySchema.of(Text, 8), 64)
    assert text.tensors["x"].tolist() == ["é".encode()]
    assert "it has not as many bytes" in refusal(b"\0" * 15, b"", b"0", one).message
    assert "for models with one input" in refusal(b"\0" * 16, b"", b"0").message


def outputs_of(body: bytes, answer: Answer) -> dict[str, Any]:
    """As a client reads them."""
    if not answer.headers:
        return {one["name"]: one["data"] for one in json.loads(body)["outputs"]}
    length = int(answer.headers[0][1])
    found, start = {}, length
    for one in json.loads(body[:length])["outputs"]:
        if "data" in one:
            found[one["name"]] = one["data"]
            continue
        size = one["parameters"]["binary_data_size"]
        data = memoryview(body)[start : start + size]
        found[one["name"]] = binary.read(one["name"], one["datatype"], one["shape"], data).tolist()
        start += size
    assert start == len(body)
    return found


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("label", [False, True])
def test_answers_as_json_and_as_bytes(scores: bool, label: bool) -> None:
    answer = Answer("model", "1", Asked({}, {"scores": scores, "label": label}, id="mine"), SCHEMA.outputs)
    body = answer.encode(SCHEMA.to_tensors({"scores": X.T, "label": np.array(["a", "é"], object)}))
    found = outputs_of(body, answer)
    assert found["scores"] == ([[1, 3], [2, 4]] if scores else [1, 3, 2, 4])
    assert found["label"] == ([b"a", "é".encode()] if label else ["a", "é"])
    binary_answer = scores or label
    assert answer.content_type == ("application/octet-stream" if binary_answer else "application/json")
    head = json.loads(body[: int(answer.headers[0][1])] if binary_answer else body)
    assert (head["model_name"], head["model_version"], head["id"]) == ("model", "1", "mine")
    assert head["outputs"][0]["shape"] == [2, 2]


def test_the_bytes_of_an_answer_begin_where_any_number_may() -> None:
    answer = Answer("model", "1", Asked({}, {"scores": True}), SCHEMA.outputs)
    answer.encode({"scores": X})
    assert int(answer.headers[0][1]) % 64 == 0


def test_json_holds_no_infinity_and_bytes_do() -> None:
    tensors = {"scores": np.array([[np.nan, 1]], np.float32), "label": np.array([b"\xff"], object)}
    for name in tensors:
        with pytest.raises(OutputError):
            Answer("model", "1", Asked({}, {name: False}), SCHEMA.outputs).encode(tensors)
        assert Answer("model", "1", Asked({}, {name: True}), SCHEMA.outputs).encode(tensors)


SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


@st.composite
def tensors(draw: st.DrawFn) -> tuple[str, Nd]:
    datatype = draw(st.sampled_from(sorted(datatypes.DATATYPES)))
    shape = draw(SHAPES)
    if datatype == "BYTES":
        size = datatypes.size_of(shape)
        values = draw(st.lists(st.text(max_size=9), min_size=size, max_size=size))
        return datatype, np.array([one.encode() for one in values], dtype=object).reshape(shape)
    if datatype == "BF16":
        return datatype, draw(arrays.arrays(np.uint16, shape)).view(ml_dtypes.bfloat16)
    return datatype, draw(arrays.arrays(datatypes.dtype_of(datatype), shape))


@given(tensors())
def test_bytes_out_are_bytes_in(case: tuple[str, Nd]) -> None:
    datatype, array = case
    data = bytes(binary.write(array, datatype))
    found = binary.read("x", datatype, array.shape, memoryview(data))
    assert found.shape == array.shape
    if datatype == "BYTES":
        assert found.tolist() == array.tolist()
    else:
        assert (found.dtype, found.tobytes()) == (array.dtype, array.tobytes())


@given(tensors())
def test_json_out_is_json_in(case: tuple[str, Nd]) -> None:
    datatype, array = case
    spec = TensorSpec("x", datatype, (-1,) * array.ndim)
    schema = type("Schema", (), {"inputs": [spec], "outputs": [spec]})()
    answer = Answer("model", "1", Asked({}, {"x": False}), [spec])
    if datatype == "BF16" or (datatypes.is_float(datatype) and not np.isfinite(array).all()):
        return
    [output] = json.loads(answer.encode({"x": array}))["outputs"]
    found = asked.read(json.dumps({"inputs": [output]}).encode(), None, schema, 64).tensors["x"]
    assert (found.dtype, found.tolist()) == (array.dtype, array.tolist())


@given(
    st.sampled_from(sorted(datatypes.DATATYPES)),
    st.lists(st.integers(0, 2**70) | st.integers(0, 4), max_size=33),
    st.binary(max_size=64),
)
def test_any_bytes_are_a_tensor_or_a_refusal(datatype: str, shape: list[int], data: bytes) -> None:
    try:
        array = binary.read("x", datatype, shape, memoryview(data))
    except ApiError:
        return
    assert array.shape == tuple(shape)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
INPUT = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "text", "z"]), "shape": JSON | st.lists(st.integers(0, 4), max_size=4)},
    optional={
        "datatype": st.sampled_from([*sorted(datatypes.DATATYPES), "other"]) | JSON,
        "data": JSON,
        "parameters": JSON | st.fixed_dictionaries({"binary_data_size": JSON | st.integers(-1, 40)}),
    },
)
BODY = JSON | st.fixed_dictionaries(
    {"inputs": st.lists(INPUT, max_size=3)}, optional={"outputs": JSON, "parameters": JSON, "id": JSON}
)
LENGTH = st.none() | st.integers(-3, 300).map(lambda number: b"%d" % number) | st.binary(max_size=4)


@settings(max_examples=500)
@given(BODY.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=99), st.binary(max_size=40), LENGTH)
def test_any_request_is_read_or_refused(head: bytes, tail: bytes, header: bytes | None) -> None:
    for given_length in (header, b"%d" % len(head)):
        try:
            request = asked.read(head + tail, given_length, SCHEMA, 64)
            SCHEMA.from_tensors(request.tensors)
        except ApiError as error:
            assert error.status in (400, 422)

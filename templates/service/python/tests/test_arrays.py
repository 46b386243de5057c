# ruff: noqa: F722, F821 (what jaxtyping writes in quotes are dimensions, not Python)
import json
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import numpy as np
import pytest
from jaxtyping import BFloat16, Bool, Float, Float16, Float32, Float64, Int8, Int64, Shaped, UInt8, UInt64

from modelship_service.errors import ApiError
from modelship_service.schema.arrays import ArraySchema
from modelship_service.schema.read import read_schema
from modelship_service.schema.rows import RowSchema
from modelship_service.schema.schema import Decoded, OutputError, SignatureError

Nd = np.ndarray


class Model:
    def load(self, files: Any) -> None: ...


def schema_of(predict: Any, max_rows: int = 8) -> ArraySchema:
    schema = read_schema(type("Model", (Model,), {"predict": predict}), max_rows)
    assert isinstance(schema, ArraySchema)
    return schema


def image_model(self, image: Float32[Nd, "n 2 3"]) -> Float32[Nd, "n 4"]:
    return image.reshape(len(image), 6)[:, :4]


def tokens_model(
    self, tokens: Int64[Nd, "n length"], mask: Bool[Nd, "n length"], temperature: Float64[Nd, "n"]
) -> Float64[Nd, "n length"]:
    return np.where(mask, tokens, 0) * temperature[:, None]


def text_model(self, text: Shaped[Nd, "n"], tags: Shaped[Nd, "n k"]) -> Shaped[Nd, "n"]:
    return np.array([f"{one}:{','.join(some)}" for one, some in zip(text, tags, strict=True)])


class Scored(NamedTuple):
    scores: Float32[Nd, "n 2"]
    label: Shaped[Nd, "n"]


class ScoredDict(TypedDict):
    scores: Float32[Nd, "n 2"]
    label: Shaped[Nd, "n"]


@dataclass
class ScoredClass:
    scores: Float32[Nd, "n 2"]
    label: Shaped[Nd, "n"]


def refusal(schema: ArraySchema, body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        schema.decode(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


def ask(predict: Any, body: Any) -> Any:
    schema = schema_of(predict)
    model = type("Model", (Model,), {"predict": predict})()
    decoded = schema.decode(json.dumps(body).encode())
    return json.loads(schema.encode(schema.call(model, decoded.inputs), decoded))


def test_the_annotations_are_the_tensors() -> None:
    schema = schema_of(tokens_model)
    assert [(one.name, one.datatype, one.shape) for one in schema.inputs] == [
        ("tokens", "INT64", (-1, -1)),
        ("mask", "BOOL", (-1, -1)),
        ("temperature", "FP64", (-1,)),
    ]
    assert [(one.name, one.datatype, one.shape) for one in schema.outputs] == [("output", "FP64", (-1, -1))]
    assert (schema.kind, schema.streams, schema.envelope_only) == ("arrays", False, False)


def test_one_row_and_many_rows() -> None:
    assert ask(image_model, {"image": [[1, 2, 3], [4, 5, 6]]}) == {"output": [1, 2, 3, 4]}
    many = {"rows": [{"image": [[1, 2, 3], [4, 5, 6]]}, {"image": [[0, 0, 0], [0, 0, 0.5]]}]}
    assert ask(image_model, many) == {"rows": [{"output": [1, 2, 3, 4]}, {"output": [0, 0, 0, 0]}]}


def test_several_inputs_with_free_lengths() -> None:
    row = {"tokens": [5, 6], "mask": [True, False], "temperature": 0.5}
    assert ask(tokens_model, row) == {"output": [2.5, 0]}
    assert ask(tokens_model, {"rows": [row, row]}) == {"rows": [{"output": [2.5, 0]}] * 2}
    assert ask(tokens_model, {"tokens": [], "mask": [], "temperature": 1}) == {"output": []}


def test_strings() -> None:
    assert ask(text_model, {"text": "é", "tags": ["a", "b"]}) == {"output": "é:a,b"}
    assert ask(text_model, {"rows": [{"text": "", "tags": []}]}) == {"rows": [{"output": ":"}]}


@pytest.mark.parametrize("kind", [Scored, ScoredDict, ScoredClass])
def test_several_outputs_have_the_names_of_their_fields(kind: Any) -> None:
    def predict(self, x: Float32[Nd, "n"]) -> kind:  # type: ignore[valid-type]
        return kind(scores=np.stack([x, -x], axis=1), label=np.array(["up"] * len(x)))

    predict.__annotations__["return"] = kind
    assert [one.name for one in schema_of(predict).outputs] == ["scores", "label"]
    assert ask(predict, {"rows": [{"x": 1}, {"x": 2}]}) == {
        "rows": [{"scores": [1, -1], "label": "up"}, {"scores": [2, -2], "label": "up"}]
    }


IMAGE = [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "image: a value is needed"),
        ([], "body: must be an object"),
        (7, "body: must be an object"),
        ({"image": 7}, "image: must be a list"),
        ({"image": [7, 8]}, "image[0]: must be a list"),
        ({"image": {"SECRET": 1}}, "image: must be a list"),
        ({"image": [[1, 2, 3]]}, "image: at least 2 items are needed"),
        ({"image": [[1, 2, 3], [4, 5]]}, "image[1]: at least 3 items are needed"),
        ({"image": [[1, 2, 3], [4, 5, 6, 7]]}, "image[1]: at most 3 items are allowed"),
        ({"image": [IMAGE, IMAGE]}, "image[0][0]: must be a number"),
        ({"image": [[1, 2, "SECRET"], [4, 5, 6]]}, "image[0][2]: must be a number"),
        ({"image": [[1, 2, True], [4, 5, 6]]}, "image[0][2]: must be a number"),
        ({"image": [[1, 2, None], [4, 5, 6]]}, "image[0][2]: must be a number"),
        ({"image": [[1, 2, [3]], [4, 5, 6]]}, "image[0][2]: must be a number"),
        ({"image": [[1, 2, 3], [4, 1e39, 6]]}, "image[1][1]: must be 3.4028234663852886e+38 or less"),
        ({"image": [[1, 2, 3], [4, -1e39, 6]]}, "image[1][1]: must be -3.4028234663852886e+38 or more"),
        (b'{"image": [[1, 2, 3], [4, 1e999, 6]]}', "image[1][1]: must be a finite number"),
        ({"image": IMAGE, "SECRET": 1}, "*: a field that the model does not take"),
        ({"SECRET - at `$.SECRET`": 1}, "*: a field that the model does not take"),
        ({"rows": [{"image": IMAGE, "SECRET": 1}]}, "rows[0].*: a field that the model does not take"),
        ({"rows": []}, "rows: at least 1 item is needed"),
        ({"rows": [{"image": IMAGE}] * 9}, "rows: at most 8 items are allowed"),
        ({"rows": {}}, "rows: must be a list"),
        ({"rows": [7]}, "rows[0]: must be an object"),
        ({"rows": [{"image": IMAGE}, {}]}, "rows[1].image: a value is needed"),
        ({"rows": [{"image": IMAGE}, {"image": [[1, 2], [3, 4]]}]}, "rows[1].image[0]: at least 3 items are needed"),
        ({"rows": [{"image": IMAGE}, {"image": [[1e39] * 3] * 2}]}, "rows[1].image[0][0]: must be 3.4"),
        (b'{"r\\u006fws": []}', "rows: at least 1 item is needed"),
    ],
)
def test_a_broken_rule_is_named_with_its_path_and_without_the_input(body: Any, message: str) -> None:
    error = refusal(schema_of(image_model), body)
    assert (error.status, error.code) == (422, "invalid_input")
    assert error.message.startswith(message)
    assert "SECRET" not in error.body("id").decode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"tokens": [1], "mask": [True, False]}, "mask: must have 1 as its length length"),
        ({"tokens": [1.5], "mask": [True]}, "tokens[0]: must be a whole number"),
        ({"tokens": [True], "mask": [True]}, "tokens[0]: must be a whole number"),
        ({"tokens": [2**63], "mask": [True]}, "tokens[0]: must be 9223372036854775807 or less"),
        ({"tokens": [1], "mask": [1]}, "mask[0]: must be true or false"),
    ],
)
def test_lengths_of_the_same_name_and_types_of_each_input(body: Any, message: str) -> None:
    assert refusal(schema_of(tokens_model), body | {"temperature": 1}).message.startswith(message)


def test_rows_of_a_request_have_the_same_free_lengths() -> None:
    rows = [{"tokens": [1] * n, "mask": [True] * n, "temperature": 1} for n in (2, 2, 3)]
    error = refusal(schema_of(tokens_model), {"rows": rows})
    assert error.message == "rows[2].tokens: must have 2 items, as the lists before it have"


def test_ragged_lists_in_one_row() -> None:
    def numbers(self, x: Float32[Nd, "n a b"]) -> Float32[Nd, "n"]: ...
    def words(self, x: Shaped[Nd, "n a b"]) -> Float32[Nd, "n"]: ...

    for predict, item in ((numbers, 1.0), (words, "w")):
        schema = schema_of(predict)
        message = "x[1]: must have 1 items, as the lists before it have"
        assert refusal(schema, {"x": [[item], [item, item]]}).message == message
        assert schema.decode(json.dumps({"x": []}).encode()).inputs["x"].shape == (1, 0, 0)


@pytest.mark.parametrize(
    ("annotation", "accepted", "refused"),
    [
        (Bool[Nd, "n"], [True, False], [0, 1, "true", None]),
        (UInt8[Nd, "n"], [0, 255], [-1, 256, 1.0, True]),
        (Int8[Nd, "n"], [-128, 127], [-129, 128]),
        (UInt64[Nd, "n"], [0, 2**64 - 1], [-1, 2**64, 10**40]),
        (Float16[Nd, "n"], [65504, -65504, 0.5], [65520, -1e300]),
        (BFloat16[Nd, "n"], [1, 3.3e38], [1e39]),
        (Float64[Nd, "n"], [1e300, 5e-324, 10**22], [False, "1"]),
        (Shaped[Nd, "n"], ["", "\U0001f600"], [1, None, []]),
    ],
)
def test_each_dtype_takes_its_own_values(annotation: Any, accepted: list[Any], refused: list[Any]) -> None:
    def predict(self, x): ...

    predict.__annotations__ = {"x": annotation, "return": annotation}
    schema = schema_of(predict)
    for value in accepted:
        array = schema.decode(json.dumps({"x": value}).encode()).inputs["x"]
        encoded = json.loads(schema.encode({"output": array}, Decoded(None, 1, many=False)))["output"]
        assert encoded == (value if isinstance(value, str) else pytest.approx(value, rel=0.01))
        assert type(encoded) is type(value) or isinstance(encoded, float)
    for value in refused:
        assert refusal(schema, {"x": value}).status == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"image": [[1, 2, 3], [4, 5, NaN]]}',
        b'{"image": [[1, 2, 3], [4, 5, 6]]}x',
        b'{"rows": [NaN]}',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000,
    ],
    ids=range(9),
)
def test_what_is_not_json(body: bytes) -> None:
    assert refusal(schema_of(image_model), body).status in (400, 422)


def test_a_list_deeper_than_the_shape_is_not_followed() -> None:
    body = b'{"image": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert refusal(schema_of(image_model), body).message == "image[0][0]: must be a number"


def test_an_input_named_rows_comes_as_rows() -> None:
    def predict(self, rows: Float32[Nd, "n 2"]) -> Float32[Nd, "n"]: ...

    schema = schema_of(predict)
    assert schema.envelope_only
    assert schema.decode(b'{"rows": [{"rows": [1, 2]}]}').inputs["rows"].tolist() == [[1, 2]]
    assert refusal(schema, {"other": [1, 2]}).message == "rows: a value is needed"


def test_the_json_schema_of_a_row() -> None:
    assert schema_of(image_model).input_json_schema()["properties"]["image"] == {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {
            "type": "array",
            "minItems": 3,
            "maxItems": 3,
            "items": {"type": "number", "minimum": -3.4028234663852886e38, "maximum": 3.4028234663852886e38},
        },
    }
    schema = schema_of(tokens_model).input_json_schema()
    assert schema["required"] == ["tokens", "mask", "temperature"]
    assert schema["properties"]["temperature"] == {"type": "number"}
    assert schema["properties"]["mask"] == {"type": "array", "items": {"type": "boolean"}}
    assert schema["properties"]["tokens"]["items"]["minimum"] == -(2**63)


def test_a_tensor_reaches_the_model_without_a_copy() -> None:
    body = bytes(range(48))
    image = np.frombuffer(body, np.float32).reshape(2, 2, 3)
    schema = schema_of(image_model)
    decoded = schema.from_tensors({"image": image})
    seen: list[Nd] = []

    class Model:
        def predict(self, image: Nd) -> Nd:
            seen.append(image)
            return np.zeros((len(image), 4), np.float32)

    outputs = schema.call(Model(), schema.join([decoded.inputs]))
    assert seen[0].__array_interface__["data"][0] == image.__array_interface__["data"][0]
    assert np.shares_memory(seen[0], image)
    halves = schema.split(outputs, [1, 1])
    assert all(np.shares_memory(half["output"], outputs["output"]) for half in halves)
    assert np.shares_memory(schema.slice(decoded.inputs, 1, 2)["image"], image)


def test_requests_share_a_batch_when_their_shapes_are_the_same() -> None:
    schema = schema_of(tokens_model)

    def inputs(length: int, rows: int = 1) -> Any:
        return {
            "tokens": np.ones((rows, length), np.int64),
            "mask": np.ones((rows, length), bool),
            "temperature": np.ones(rows),
        }

    assert schema.bucket(inputs(2)) == schema.bucket(inputs(2, rows=3)) != schema.bucket(inputs(3))
    joined = schema.join([inputs(2), inputs(2, rows=3)])
    assert {name: array.shape for name, array in joined.items()} == {
        "tokens": (4, 2),
        "mask": (4, 2),
        "temperature": (4,),
    }
    outputs = {"output": np.arange(8.0).reshape(4, 2)}
    assert [part["output"].tolist() for part in schema.split(outputs, [1, 3])] == [
        [[0, 1]],
        [[2, 3], [4, 5], [6, 7]],
    ]
    assert np.array_equal(schema.merge(schema.split(outputs, [1, 3]))["output"], outputs["output"])
    with pytest.raises(OutputError, match="4 outputs for 3 rows"):
        schema.split(outputs, [1, 2])
    with pytest.raises(OutputError, match="other shapes"):
        schema.merge([{"output": np.ones((1, 2))}, {"output": np.ones((1, 3))}])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "image: a value is needed"),
        ({"image": np.ones((1, 2, 3), np.float32), "SECRET": np.ones(1)}, "*: an input that the model does not take"),
        ({"image": np.ones((1, 2, 3))}, "image: must be FP32"),
        ({"image": np.ones((2, 3), np.float32)}, "image: must have the shape [-1, 2, 3]"),
        ({"image": np.ones((1, 3, 2), np.float32)}, "image: must have the shape [-1, 2, 3]"),
        ({"image": np.ones((0, 2, 3), np.float32)}, "image: must have 1 to 8 rows"),
        ({"image": np.ones((9, 2, 3), np.float32)}, "image: must have 1 to 8 rows"),
    ],
)
def test_tensors_that_the_model_does_not_take(tensors: Any, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        schema_of(image_model).from_tensors(tensors)
    assert (caught.value.status, caught.value.message) == (422, message)


def test_tensors_with_different_batches() -> None:
    tensors = {"tokens": np.ones((2, 3), np.int64), "mask": np.ones((1, 3), bool), "temperature": np.ones(2)}
    with pytest.raises(ApiError, match="mask: must have 2 rows, as tokens has"):
        schema_of(tokens_model).from_tensors(tensors)


def test_tensors_of_strings_are_text_for_the_model_and_bytes_outside() -> None:
    schema = schema_of(text_model)
    tensors = {"text": np.array(["é".encode()], object), "tags": np.array([[b"a", b""]], object)}
    decoded = schema.from_tensors(tensors)
    assert (decoded.inputs["text"].tolist(), decoded.inputs["tags"].tolist()) == (["é"], [["a", ""]])
    assert schema.to_tensors({"output": np.array(["é"], object)})["output"].tolist() == ["é".encode()]
    with pytest.raises(ApiError, match="text: must be UTF-8"):
        schema.from_tensors(tensors | {"text": np.array([b"\xff"], object)})
    with pytest.raises(OutputError, match="not Unicode"):
        schema.to_tensors({"output": np.array(["\ud800"], object)})


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "predict returned NoneType as output, and a numpy array is promised"),
        ([[1.0] * 4], "predict returned list as output, and a numpy array is promised"),
        (np.ones((1, 4)), "predict returned float64 as output, and float32 is promised"),
        (np.ones(4, np.float32), "predict returned the shape [4] as output, and [-1, 4] is promised"),
        (np.ones((1, 5), np.float32), "predict returned output, which must have the shape [-1, 4]"),
        (np.ones((2, 4), np.float32), "predict returned 2 rows of output for 1 rows"),
    ],
)
def test_outputs_that_break_the_promise(returned: Any, message: str) -> None:
    schema = schema_of(image_model)
    model = type("Model", (), {"predict": lambda self, image: returned})()
    with pytest.raises(OutputError) as caught:
        schema.call(model, {"image": np.ones((1, 2, 3), np.float32)})
    assert str(caught.value) == message


def test_an_output_that_is_missing() -> None:
    def predict(self, x: Float32[Nd, "n"]) -> Scored: ...

    with pytest.raises(OutputError, match="predict returned dict without label"):
        schema_of(predict).call(
            type("Model", (), {"predict": lambda self, x: {"scores": np.ones((1, 2), np.float32)}})(),
            {"x": np.ones(1, np.float32)},
        )


def test_a_free_length_is_the_same_in_inputs_and_outputs() -> None:
    inputs = {"tokens": np.ones((1, 3), np.int64), "mask": np.ones((1, 3), bool), "temperature": np.ones(1)}
    model = type("Model", (), {"predict": lambda self, **_: np.ones((1, 2))})()
    with pytest.raises(OutputError, match="output, which must have 3 as its length length"):
        schema_of(tokens_model).call(model, inputs)


def test_json_answers_are_finite_and_unicode() -> None:
    schema = schema_of(image_model)
    outputs = {"output": np.array([[1, 2, 3, 4], [1, 2, np.nan, 4]], np.float32)}
    with pytest.raises(OutputError, match=r"not finite at rows\[1\].output\[2\]"):
        schema.encode(outputs, Decoded(None, 2, many=True))
    with pytest.raises(OutputError, match="not Unicode"):
        schema_of(text_model).encode({"output": np.array(["\ud800"], object)}, Decoded(None, 1, many=False))


def no_return(self, x: Float32[Nd, "n"]): ...
def half(self, x: Float32[Nd, "n"], y) -> Float32[Nd, "n"]: ...
def mixed(self, x: Float32[Nd, "n"], y: list[int]) -> Float32[Nd, "n"]: ...
def default(self, x: Float32[Nd, "n"] = None) -> Float32[Nd, "n"]: ...  # type: ignore[assignment]
def positional(self, x: Float32[Nd, "n"], /) -> Float32[Nd, "n"]: ...
def variable(self, *x: Float32[Nd, "n"]) -> Float32[Nd, "n"]: ...
def no_inputs(self) -> Float32[Nd, "n"]: ...
def other_array(self, x: Float32[Any, "n"]) -> Float32[list, "n"]: ...
def several_dtypes(self, x: Float[Nd, "n"]) -> Float32[Nd, "n"]: ...
def no_dims(self, x: Float32[Nd, ""]) -> Float32[Nd, "n"]: ...
def fixed_batch(self, x: Float32[Nd, "4 2"]) -> Float32[Nd, "n"]: ...
def nameless(self, x: Float32[Nd, "_ 2"]) -> Float32[Nd, "n"]: ...
def two_batches(self, x: Float32[Nd, "n 2"]) -> Float32[Nd, "m"]: ...
def batch_twice(self, x: Float32[Nd, "n n"]) -> Float32[Nd, "n"]: ...
def variadic(self, x: Float32[Nd, "n ... 3"]) -> Float32[Nd, "n"]: ...
def named_variadic(self, x: Float32[Nd, "n *k"]) -> Float32[Nd, "n"]: ...
def broadcast(self, x: Float32[Nd, "n #k"]) -> Float32[Nd, "n"]: ...
def symbolic(self, x: Float32[Nd, "n k"]) -> Float32[Nd, "n k+1"]: ...
def a_tuple(self, x: Float32[Nd, "n"]) -> tuple[Float32[Nd, "n"], Float32[Nd, "n"]]: ...
def generator(self, x: Float32[Nd, "n"]) -> Float32[Nd, "n"]:
    yield x


async def waits(self, x: Float32[Nd, "n"]) -> Float32[Nd, "n"]: ...
def neither(self, x: dict) -> dict: ...


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (no_return, "the return value has no annotation"),
        (half, "the argument y has no annotation"),
        (mixed, "the argument y is annotated list[int], which is no array"),
        (default, "the argument x has a default"),
        (positional, "the argument x cannot be given by its name"),
        (variable, "the argument x cannot be given by its name"),
        (no_inputs, "it takes no arrays"),
        (other_array, "only np.ndarray can be served"),
        (several_dtypes, "which allows several dtypes: name one, as in Float32"),
        (no_dims, "which has no dimension for the batch"),
        (fixed_batch, "the first dimension must be the batch"),
        (nameless, "the first dimension must be the batch"),
        (two_batches, "its first dimension is m, and n before: the batch has one name everywhere"),
        (batch_twice, "only the first dimension can be the batch, n"),
        (variadic, "... is neither a length nor a name"),
        (named_variadic, "*k is neither a length nor a name"),
        (broadcast, "#k is neither a length nor a name"),
        (symbolic, "k+1 is neither a length nor a name"),
        (a_tuple, "several outputs need names: return a NamedTuple, a TypedDict or a dataclass of arrays"),
        (generator, "must be a plain one"),
        (waits, "must be a plain one"),
        (neither, "list[Input]"),
        (neither, "from jaxtyping"),
    ],
)
def test_a_signature_that_cannot_be_served_says_why_and_where(predict: Any, message: str) -> None:
    with pytest.raises(SignatureError) as caught:
        read_schema(type("Model", (Model,), {"predict": predict}), 8)
    assert message in str(caught.value)
    assert caught.value.line == predict.__code__.co_firstlineno


def test_lengths_may_be_named_or_of_no_interest() -> None:
    def predict(self, x: Float32[Nd, "n channels=3 _ _width"]) -> Float32[Nd, "n _"]:
        return x[:, 0, 0]

    schema = schema_of(predict)
    assert schema.inputs[0].shape == (-1, 3, -1, -1)
    assert schema.decode(json.dumps({"x": [[[1, 2]], [[3, 4]], [[5, 6]]]}).encode()).inputs["x"].shape == (1, 3, 1, 2)


def test_a_model_of_rows_is_still_one() -> None:
    from pydantic import BaseModel

    class Input(BaseModel):
        x: float

    class Rows(Model):
        def predict(self, rows): ...

    Rows.predict.__annotations__ = {"rows": list[Input], "return": list[Input]}
    assert isinstance(read_schema(Rows, 8), RowSchema)

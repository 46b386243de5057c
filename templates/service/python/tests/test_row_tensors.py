import enum
import json
import math
import subprocess
import sys
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from conftest import PACKAGE
from pydantic import BaseModel, ConfigDict, Field, RootModel

from modelship_service.errors import ApiError
from modelship_service.schema.rows import RowSchema
from modelship_service.schema.schema import OutputError

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Point(BaseModel):
    x: float


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    count: int
    score: float
    good: bool
    pixels: list[float] = Field(min_length=3, max_length=3)
    pairs: list[Pair] = []
    size: tuple[int, int] = (0, 0)
    words: list[str] = []
    colour: Colour = Colour.red
    level: Literal[1, 2] = 1
    day: date = date(2026, 1, 1)
    picture: bytes = b""
    note: str | None = None
    point: Point = Point(x=0)
    mixed: tuple[int, str] = (0, "")


class Output(BaseModel):
    label: str = Field("a", serialization_alias="Label")
    scores: list[float]
    colour: Colour = Colour.blue
    day: date = date(2026, 1, 2)
    note: float | None = None


def strings(*values: Any) -> Any:
    return np.array([value.encode() if isinstance(value, str) else value for value in values], dtype=object)


def needed(rows: int = 2, **others: Any) -> dict[str, Any]:
    return {
        "name": strings(*["é"] * rows),
        "count": np.full(rows, 7),
        "score": np.full(rows, 0.5),
        "good": np.ones(rows, bool),
        "pixels": np.ones((rows, 3), np.float32),
    } | others


SCHEMA = RowSchema(Input, Output, 4)


def refusal(tensors: Any, schema: RowSchema = SCHEMA) -> str:
    with pytest.raises(ApiError) as caught:
        schema.from_tensors(tensors)
    assert caught.value.status == 422
    return caught.value.message


def test_fields_are_seen_as_tensors() -> None:
    assert {one.name: (one.datatype, *one.shape) for one in SCHEMA.inputs} == {
        "name": ("BYTES", -1),
        "count": ("INT64", -1),
        "score": ("FP64", -1),
        "good": ("BOOL", -1),
        "pixels": ("FP64", -1, 3),
        "pairs": ("FP64", -1, -1, 2),
        "size": ("INT64", -1, 2),
        "words": ("BYTES", -1, -1),
        "colour": ("BYTES", -1),
        "level": ("INT64", -1),
        "day": ("BYTES", -1),
        "picture": ("BYTES", -1),
        "note": ("BYTES", -1),
        "point": ("BYTES", -1),
        "mixed": ("BYTES", -1),
    }
    assert {one.name: (one.datatype, *one.shape) for one in SCHEMA.outputs} == {
        "Label": ("BYTES", -1),
        "scores": ("FP64", -1, -1),
        "colour": ("BYTES", -1),
        "day": ("BYTES", -1),
        "note": ("BYTES", -1),
    }


def test_tensors_become_rows_that_pydantic_has_checked() -> None:
    decoded = SCHEMA.from_tensors(needed())
    assert (decoded.rows, decoded.many) == (2, True)
    assert decoded.inputs[1] == Input(name="é", count=7, score=0.5, good=True, pixels=[1, 1, 1])


def test_every_field_as_a_tensor() -> None:
    decoded = SCHEMA.from_tensors(
        needed(
            1,
            pairs=np.arange(4.0).reshape(1, 2, 2),
            size=np.array([[3, 4]], np.uint16),
            words=strings("a", "b").reshape(1, 2),
            colour=strings("blue"),
            level=np.array([2], np.int8),
            day=strings("2026-05-06"),
            picture=strings(b"\xff\xd8"),
            note=strings('"hm"'),
            point=strings('{"x": 1}'),
            mixed=strings('[1, "x"]'),
        )
    )
    [row] = decoded.inputs
    assert (row.pairs, row.size, row.words) == ([[0, 1], [2, 3]], (3, 4), ["a", "b"])
    assert (row.colour, row.level, row.day, row.picture) == (Colour.blue, 2, date(2026, 5, 6), b"\xff\xd8")
    assert (row.note, row.point, row.mixed) == ("hm", Point(x=1), (1, "x"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SECRET": np.ones(2)}, "*: an input that the model does not take"),
        ({"count": np.ones(2)}, "count: must be INT64"),
        ({"count": np.ones(2, bool)}, "count: must be INT64"),
        ({"score": np.ones(2, bool)}, "score: must be FP64"),
        ({"good": np.ones(2, np.uint8)}, "good: must be BOOL"),
        ({"name": np.ones(2)}, "name: must be BYTES"),
        ({"score": np.full(2, 2**53 + 1)}, "score: must be FP64: a number has more digits than that can hold"),
        ({"score": np.full(2, -(2**63))}, "score: must be FP64: a number has more digits than that can hold"),
        ({"count": np.ones((2, 1), np.int64)}, "count: must have the shape [-1]"),
        ({"pixels": np.ones((2, 4))}, "pixels: must have the shape [-1, 3]"),
        ({"pairs": np.ones((2, 1, 3))}, "pairs: must have the shape [-1, -1, 2]"),
        ({"count": np.ones(3, np.int64)}, "count: must have 2 rows, as name has"),
        ({"name": strings(b"\xff", "a")}, "name: must be UTF-8"),
        ({"pixels": np.array([[1, 2, 3], [1, np.nan, 3]])}, "rows[1].pixels[1]: must be a finite number"),
        ({"score": np.array([np.inf, 1])}, "rows[0].score: must be a finite number"),
        ({"colour": strings("red", "SECRET")}, "rows[1].colour: must be one of 'red' or 'blue'"),
        ({"level": np.array([1, 3])}, "rows[1].level: must be one of 1 or 2"),
        ({"point": strings('{"x": 1}', "{SECRET")}, "rows[1].point: must be JSON"),
        ({"point": strings('{"x": 1}', '{"x": "SECRET"}')}, "rows[1].point.x: must be a number"),
        ({"point": strings('{"x": 1}', "[" * 100_000)}, "rows[1].point: must be JSON"),
    ],
)
def test_a_refusal_names_the_tensor_and_the_row(change: Any, message: str) -> None:
    found = refusal(needed() | change)
    assert found == message
    assert "SECRET" not in found


def test_how_many_rows() -> None:
    assert refusal(needed(5)) == "name: must have 1 to 4 rows"
    assert refusal(needed(0)) == "name: must have 1 to 4 rows"
    assert refusal({}) == "name: a value is needed"

    class Defaults(BaseModel):
        x: float = 0

    assert refusal({}, RowSchema(Defaults, Output, 4)) == "x: a tensor is needed to know the rows"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "uint64"])
def test_numbers_are_taken_where_nothing_is_lost(dtype: str) -> None:
    assert SCHEMA.from_tensors(needed(1, score=np.array([3], dtype))).inputs[0].score == 3.0


def test_a_strict_model_takes_what_its_json_takes() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        colour: Colour
        size: tuple[int, int]

    tensors = {"colour": strings("red"), "size": np.array([[1, 2]])}
    assert RowSchema(Strict, Output, 4).from_tensors(tensors).inputs == [Strict(colour=Colour.red, size=(1, 2))]


def test_outputs_become_tensors() -> None:
    tensors = SCHEMA.to_tensors([Output(scores=[1, 2]), Output(label="é", scores=[3, 4], note=0.5)])
    assert {name: array.tolist() for name, array in tensors.items()} == {
        "Label": [b"a", "é".encode()],
        "scores": [[1.0, 2.0], [3.0, 4.0]],
        "colour": [b"blue", b"blue"],
        "day": [b"2026-01-02", b"2026-01-02"],
        "note": [b"null", b"0.5"],
    }
    assert SCHEMA.to_tensors([{"scores": []}])["scores"].shape == (1, 0)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([Output(scores=[1]), Output(scores=[1, 2])], "rows[1].scores must have 1 items"),
        ([Output(scores=[1]), Output(scores=[math.nan])], "rows[1].scores[0] must be a finite number"),
        ([Output(scores=[1], label="\ud800")], "predict returned"),
        ([7], "predict returned something else than Output"),
    ],
)
def test_outputs_that_no_tensor_can_hold(outputs: Any, message: str) -> None:
    with pytest.raises(OutputError) as caught:
        SCHEMA.to_tensors(outputs)
    assert message in str(caught.value)


def test_numbers_that_may_be_infinite() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(ser_json_inf_nan="strings")
        x: float

    tensors = RowSchema(Input, Open, 4).to_tensors([Open(x=math.inf), Open(x=1)])
    assert tensors["x"].tolist() == [math.inf, 1.0]


def test_a_row_that_is_no_object_is_one_tensor() -> None:
    class Vector(RootModel[Pair]): ...

    schema = RowSchema(Vector, Vector, 4)
    assert [(one.name, one.datatype, one.shape) for one in schema.inputs] == [("row", "FP64", (-1, 2))]
    decoded = schema.from_tensors({"row": np.array([[1.0, 2.0], [3.0, 4.0]])})
    assert [row.root for row in decoded.inputs] == [[1, 2], [3, 4]]
    assert schema.to_tensors(decoded.inputs)["row"].tolist() == [[1, 2], [3, 4]]


def test_json_needs_no_numpy() -> None:
    program = """
import sys
from pydantic import BaseModel
from modelship_service.schema.read import read_schema
class Input(BaseModel):
    x: list[float]
class Model:
    def load(self, files): ...
    def predict(self, rows: list[Input]) -> list[Input]: ...
schema = read_schema(Model, 4)
decoded = schema.decode(b'{"x": [1]}')
print(schema.encode(schema.split(decoded.inputs, [1])[0], decoded).decode(), schema.inputs[0].shape)
assert "numpy" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=PACKAGE)
    assert done.stdout == '{"x":[1.0]} (-1, -1)\n', done.stderr


def test_a_round_trip_through_json_and_tensors_is_the_same() -> None:
    rows = SCHEMA.from_tensors(needed(2)).inputs
    body = json.dumps({"rows": [json.loads(row.model_dump_json()) for row in rows]}).encode()
    assert SCHEMA.decode(body).inputs == rows

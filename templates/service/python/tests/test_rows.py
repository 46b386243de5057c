import json
import math
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from modelship_service.errors import ApiError
from modelship_service.schema.rows import RowSchema
from modelship_service.schema.schema import Decoded, OutputError, SignatureError


class Point(BaseModel):
    x: float
    y: float | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid")
    points: list[Point] = Field(default=[], max_length=3)
    by_name: dict[str, float] = {}
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    open_ended: float = Field(default=0.0, allow_inf_nan=True)
    even: int = 0

    @field_validator("even")
    @classmethod
    def is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("an even number is needed")
        return value


class Output(BaseModel):
    score: float
    extra: float | None = None


def schema_of(input_type: Any = Input, output_type: Any = Output, max_rows: int = 3) -> RowSchema:
    return RowSchema(input_type, output_type, max_rows)


def refusal(body: Any, schema: RowSchema | None = None) -> ApiError:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ApiError) as caught:
        (schema or schema_of()).decode(text)
    return caught.value


def test_one_row_and_many_rows() -> None:
    one = schema_of().decode(b'{"points": [{"x": 1}]}')
    assert (one.many, one.inputs[0].points[0].x) == (False, 1.0)
    many = schema_of().decode(b'{"rows": [{}, {"even": 4}]}')
    assert (many.many, [row.even for row in many.inputs]) == (True, [0, 4])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"points": [{"x": "no"}]}, "points[0].x: must be a number"),
        ({"rows": [{}, {"points": [{}]}]}, "rows[1].points[0].x: a value is needed"),
        ({"points": [{"x": 0}] * 4}, "points: at most 3 items are allowed"),
        ({"rows": []}, "rows: at least 1 item is needed"),
        ({"rows": [{}] * 4}, "rows: at most 3 items are allowed"),
        ({"rows": {}}, "rows: must be a list"),
        ({"rows": None}, "rows: must be a list"),
        ({"rows": [7]}, "rows[0]: must be an object"),
        ([], "body: must be an object"),
        (7, "body: must be an object"),
        ({"even": 3}, "even: an even number is needed"),
        ({"even": 2.5}, "even: must be a whole number"),
        ({"pet": {"kind": "cat", "lives": 10}}, "pet.*.lives: must be 9 or less"),
        ({"pet": {"kind": "SECRET"}}, "pet: 'kind' must be one of 'cat', 'dog'"),
        ({"SECRET": 1}, "*: a field that the model does not take"),
        ({"by_name": {"SECRET": "SECRET"}}, "by_name.*: must be a number"),
    ],
)
def test_a_broken_rule_is_named_with_its_path_and_without_the_input(body: Any, message: str) -> None:
    error = refusal(body)
    assert (error.status, error.code, error.message) == (422, "invalid_input", message)
    assert "SECRET" not in error.body("id").decode()


@pytest.mark.parametrize("number", ["1e999", "-1e999", '"nan"', '"Infinity"', '" -inf "', '"1e999"'])
@pytest.mark.parametrize("place", ['"points":[{"x":%s}]', '"points":[{"x":0,"y":%s}]', '"by_name":{"a":%s}'])
def test_a_number_is_finite(place: str, number: str) -> None:
    assert "must be a finite number" in refusal(("{" + place % number + "}").encode()).message


def test_unless_its_type_says_otherwise() -> None:
    assert math.isnan(schema_of().decode(b'{"open_ended": "nan"}').inputs[0].open_ended)

    class Open(BaseModel):
        model_config = ConfigDict(allow_inf_nan=True)
        x: float
        y: float = Field(0.0, allow_inf_nan=False)

    schema = schema_of(Open)
    assert schema.decode(b'{"x": 1e999}').inputs[0].x == math.inf
    assert refusal(b'{"x": 1, "y": 1e999}', schema).message == "y: must be a finite number"


def test_the_users_own_types_stay_as_they_were() -> None:
    schema_of()
    assert math.isnan(Point(x=float("nan")).x)
    assert Point.__pydantic_complete__ is True


def test_types_that_refer_to_themselves() -> None:
    schema = schema_of(Tree)
    assert schema.decode(b'{"x": 1, "kids": [{"x": 2}]}').inputs[0].kids[0].x == 2
    assert refusal(b'{"x": 1, "kids": [{"x": 2, "kids": [{"x": "nan"}]}]}', schema).message == (
        "kids[0].kids[0].x: must be a finite number"
    )


class Tree(BaseModel):
    x: float
    kids: list["Tree"] = []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}x",
        b"NaN",
        b'{"even": NaN}',
        b'{"even": 01}',
        b'{"rows": [NaN]}',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"by_name": {"\xff": 1}}',
        b'{"by_name": {"\\ud800": 1}}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=range(15),
)
def test_what_is_not_json(body: bytes) -> None:
    error = refusal(body)
    assert (error.status, error.code) == (400, "invalid_json")


def test_one_error_names_the_first_rule_and_counts_the_others() -> None:
    error = refusal({"rows": [{"even": 1}, {"even": "x"}]})
    assert error.message == "rows[0].even: an even number is needed (and 1 more)"
    assert [one["path"] for one in error.details or ()] == ["rows[0].even", "rows[1].even"]


def test_a_request_that_breaks_very_many_rules_has_a_short_answer() -> None:
    error = refusal({f"unknown{number}": 1 for number in range(5_000)})
    assert (error.status, len(error.body("id")) < 500) == (422, True)


def test_an_input_with_a_field_named_rows_comes_as_rows() -> None:
    class Table(BaseModel):
        rows: list[int]

    schema = schema_of(Table)
    assert schema.decode(b'{"rows": [{"rows": [1, 2]}]}').inputs[0].rows == [1, 2]
    assert refusal({"rows": [1, 2]}, schema).message.startswith("rows[0]: must be an object")
    assert refusal({}, schema).message == "rows: a value is needed"


@pytest.mark.parametrize("many", [False, True])
def test_outputs_are_encoded_as_the_request_asked(many: bool) -> None:
    answer = schema_of().encode([Output(score=0.5)], Decoded([None], 1, many=many))
    row = {"score": 0.5, "extra": None}
    assert json.loads(answer) == ({"rows": [row]} if many else row)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (None, "predict returned NoneType, and a list is expected"),
        ([], "predict returned 0 outputs for 1 rows"),
        ([7], "predict returned something else than Output: rows[0]: must be an object"),
        ([{"score": "x"}], "predict returned something else than Output: rows[0].score: must be a number"),
        ([Output(score=math.nan)], "predict returned a number that is not finite at rows[0].score"),
        ([Output(score=1, extra=-math.inf)], "predict returned a number that is not finite at rows[0].extra"),
    ],
)
def test_outputs_that_break_the_promise(outputs: Any, message: str) -> None:
    with pytest.raises(OutputError) as caught:
        schema_of().encode(outputs, Decoded([None], 1, many=False))
    assert str(caught.value) == message


def no_load() -> Any:
    class Model:
        def predict(self, rows: list[Input]) -> list[Output]: ...

    return Model


def no_predict() -> Any:
    class Model:
        def load(self, files): ...

    return Model


def with_predict(predict: Any) -> Any:
    return type("Model", (), {"load": lambda self, files: None, "predict": predict})


def bare(self, rows): ...
def no_return(self, rows: list[Input]): ...
def no_list(self, rows: Input) -> list[Output]: ...
def no_model(self, rows: list[dict]) -> list[Output]: ...
def no_rows(self) -> list[Output]: ...
def unknown(self, rows: "list[Missing]") -> list[Output]: ...  # noqa: F821
async def waits(self, rows: list[Input]) -> list[Output]: ...


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (no_load(), "class Model has no load method"),
        (no_predict(), "class Model has no predict method"),
        (with_predict(bare), "the argument rows has no annotation"),
        (with_predict(no_return), "the return value has no annotation"),
        (with_predict(no_list), "the argument rows is annotated Input, which is no list"),
        (with_predict(no_model), "the argument rows is a list of dict, which is no pydantic model"),
        (with_predict(no_rows), "Model.predict must take one argument"),
        (with_predict(unknown), "an annotation cannot be read: name 'Missing' is not defined"),
        (with_predict(waits), "must be a plain function"),
    ],
)
def test_a_class_that_cannot_be_served_says_what_is_expected(model: Any, message: str) -> None:
    with pytest.raises(SignatureError) as caught:
        RowSchema.of(model, 3)
    assert message in str(caught.value)


def test_fields_with_names_that_mean_something_elsewhere() -> None:
    class Odd(BaseModel):
        type: float
        config: dict[str, float] = {}
        default: float = 0.0
        metadata: float = 0.0
        fields: list[float] = []
        cls: str = "float"

    schema = schema_of(Odd)
    good = b'{"type": 1, "config": {"allow_inf_nan": 1}, "cls": "x"}'
    assert schema.decode(good).inputs[0].type == 1.0
    for wrong in (b'"type": 1e999', b'"type": 1, "config": {"a": 1e999}', b'"type": 1, "default": 1e999'):
        assert "must be a finite number" in refusal(b"{" + wrong + b"}", schema).message
    for wrong in (b'"type": 1, "metadata": 1e999', b'"type": 1, "fields": [1e999]'):
        assert "must be a finite number" in refusal(b"{" + wrong + b"}", schema).message

"""Tests of the model itself: python -m pytest"""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from model import Input, Model

HERE = Path(__file__).parent
EXAMPLE = json.loads((HERE / "examples" / "request.json").read_text())


@pytest.fixture(scope="module")
def model() -> Model:
    model = Model()
    model.load(HERE / "model")
    return model


def test_the_example(model: Model) -> None:
    [answer] = model.predict([Input(**EXAMPLE)])
    assert answer.score == pytest.approx(1 + 0.5 * 1 - 0.25 * 2 + 2 * 3)


def test_answers_come_in_the_order_of_the_rows(model: Model) -> None:
    rows = [Input(features=[value, 0, 0]) for value in (0, 2, 1)]
    assert [answer.score for answer in model.predict(rows)] == [1, 2, 1.5]


@pytest.mark.parametrize("features", [[], [1, 2], [1, 2, 3, 4], ["one", 2, 3]])
def test_a_wrong_input_is_refused(features: list) -> None:
    with pytest.raises(ValidationError):
        Input(features=features)

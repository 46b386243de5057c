"""Tests of the model itself: python -m pytest"""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from model import Input, Model
from train import split

HERE = Path(__file__).parent
EXAMPLE = json.loads((HERE / "examples" / "request.json").read_text())


@pytest.fixture(scope="module")
def model() -> Model:
    model = Model()
    model.load(HERE / "model")
    return model


def to_input(features: list) -> Input:
    return Input(**dict(zip(Input.model_fields, features)))


def test_the_example(model: Model) -> None:
    [answer] = model.predict([Input(**EXAMPLE)])
    _, test_features, _, test_cultivars = split()
    assert Input(**EXAMPLE) == to_input(test_features[0].tolist())
    assert answer.cultivar == test_cultivars[0]
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-5)


def test_it_knows_wines_that_it_has_not_seen(model: Model) -> None:
    _, test_features, _, test_cultivars = split()
    answers = model.predict([to_input(row) for row in test_features.tolist()])
    accuracy = np.mean([answer.cultivar == cultivar for answer, cultivar in zip(answers, test_cultivars)])
    assert accuracy > 0.95


@pytest.mark.parametrize("change", [{"alcohol": -1}, {"alcohol": 101}, {"hue": "red"}, {"proline": None}])
def test_a_wrong_input_is_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        Input(**{**EXAMPLE, **change})


def test_every_field_is_needed() -> None:
    with pytest.raises(ValidationError):
        Input(**{name: value for name, value in EXAMPLE.items() if name != "ash"})

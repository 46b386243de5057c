"""Tests of the model itself: python -m pytest"""

import json
from pathlib import Path

import numpy as np
import pytest
import skops.io
from pydantic import ValidationError

from model import Input, Model
from train import split

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def model() -> Model:
    model = Model()
    model.load(HERE / "model")
    return model


def test_the_example(model: Model) -> None:
    example = Input(**json.loads((HERE / "examples" / "request.json").read_text()))
    [answer] = model.predict([example])
    _, test_pixels, _, test_digits = split()
    assert example.pixels == test_pixels[0].tolist()
    assert answer.digit == test_digits[0]
    assert sum(answer.probabilities) == pytest.approx(1)


def test_it_reads_images_that_it_has_not_seen(model: Model) -> None:
    _, test_pixels, _, test_digits = split()
    answers = model.predict([Input(pixels=row) for row in test_pixels.tolist()])
    accuracy = np.mean([answer.digit == digit for answer, digit in zip(answers, test_digits)])
    assert accuracy > 0.95


@pytest.mark.parametrize("pixels", [[0] * 63, [0] * 65, [17] + [0] * 63, [-1] + [0] * 63, ["ink"] * 64])
def test_a_wrong_input_is_refused(pixels: list) -> None:
    with pytest.raises(ValidationError):
        Input(pixels=pixels)


def test_the_model_file_holds_nothing_but_safe_types() -> None:
    assert skops.io.get_untrusted_types(file=HERE / "model" / "digits.skops") == []

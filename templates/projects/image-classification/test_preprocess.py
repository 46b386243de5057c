"""Tests of the way from a file of a picture to numbers: python -m pytest"""

import io

import numpy as np
import pytest
from PIL import Image

from preprocess import Preprocessor, decode


def file(picture: Image.Image, kind: str = "PNG") -> bytes:
    written = io.BytesIO()
    picture.save(written, kind)
    return written.getvalue()


RED = Image.new("RGB", (40, 20), (255, 0, 0))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_read(kind: str) -> None:
    assert decode(file(RED, kind)).size == (40, 20)


@pytest.mark.parametrize("broken", [b"", b"text", file(RED)[:50], file(RED, "JPEG")[:-40], file(RED, "BMP")])
def test_what_is_no_picture_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="no JPEG, PNG or WebP"):
        decode(broken)


def test_a_picture_of_many_pixels_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="pixels at most"):
        decode(file(Image.new("1", (10_000, 5_000))))


def test_it_is_resized_scaled_and_normalized() -> None:
    found = Preprocessor({"size": {"height": 4, "width": 6}, "image_mean": [0.5, 0, 0], "image_std": [0.5, 1, 1]})(RED)
    assert found.shape == (3, 4, 6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0, 0], [1, 0, 0])


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"size": 5}, (3, 5, 5)),
        ({"size": {"shortest_edge": 10}}, (3, 10, 20)),
        ({"size": {"shortest_edge": 10}, "do_center_crop": True, "crop_size": 8}, (3, 8, 8)),
        ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 14}}, (3, 14, 14)),
        ({"do_resize": False, "do_center_crop": True, "crop_size": {"height": 30, "width": 30}}, (3, 30, 30)),
    ],
)
def test_sizes(config: dict, shape: tuple) -> None:
    assert Preprocessor(config)(RED).shape == shape


@pytest.mark.parametrize(
    "config",
    [
        {"size": 5, "image_processor_type": "LevitImageProcessor"},
        {"size": 5, "do_flip_channel_order": True},
        {"size": {"longest_edge": 5}},
        {},
    ],
)
def test_what_it_does_not_do_is_said(config: dict) -> None:
    with pytest.raises(ValueError, match="preprocessor_config.json"):
        Preprocessor(config)

"""From a file of a picture to the numbers that the model takes, as preprocessor_config.json says."""

import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

FORMATS = ["JPEG", "PNG", "WEBP"]
# A small file can hold a picture of gigabytes.
MOST_PIXELS = 40_000_000

# Image processors of transformers that do all of it as below. Others have steps of their own.
KNOWN = {"Beit", "Bit", "CLIP", "ConvNext", "DeiT", "MobileNetV1", "MobileNetV2", "Siglip", "ViT"}
# What says nothing about the numbers.
IDLE = {
    "data_format", "default_to_square", "device", "disable_grouping", "feature_extractor_type", "image_processor_type",
    "input_data_format", "processor_class", "return_tensors",
}  # fmt: skip
READ = {
    "crop_pct", "crop_size", "do_center_crop", "do_convert_rgb", "do_normalize", "do_rescale", "do_resize", "image_mean",
    "image_std", "resample", "rescale_factor", "size",
}  # fmt: skip


def decode(file: bytes) -> Image.Image:
    """Raises ValueError for what is no picture, or too large."""
    try:
        picture = Image.open(io.BytesIO(file), formats=FORMATS)
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"a picture may have {MOST_PIXELS} pixels at most")
        return ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError):
        raise ValueError("this is no JPEG, PNG or WebP picture that can be read") from None


class Preprocessor:
    def __init__(self, config: dict[str, Any]) -> None:
        name = config.get("image_processor_type") or config.get("feature_extractor_type") or "ViT"
        kind = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", name)
        others = sorted(key for key in config.keys() - READ - IDLE if config[key] and not key.startswith("_"))
        if kind not in KNOWN or others:
            raise ValueError(
                f"preprocessor_config.json asks for what preprocess.py does not do ({name}"
                f"{': ' if others else ''}{', '.join(others)}): add it there, or use transformers.AutoImageProcessor"
            )
        self.crop_pct = config.get("crop_pct") or 224 / 256 if kind == "ConvNext" else None
        self.size = _size(config.get("size")) if config.get("do_resize", True) else None
        self.resample = Image.Resampling(config.get("resample", 2))
        self.crop = _size(config.get("crop_size")) if config.get("do_center_crop", False) else None
        self.factor = np.float32(config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1)
        normalize = config.get("do_normalize", True)
        self.mean = np.array(config.get("image_mean", [0.5] * 3) if normalize else [0] * 3, dtype=np.float32)
        self.std = np.array(config.get("image_std", [0.5] * 3) if normalize else [1] * 3, dtype=np.float32)

    @classmethod
    def of(cls, folder: Path) -> "Preprocessor":
        return cls(json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8")))

    def __call__(self, picture: Image.Image) -> np.ndarray:
        """[3, height, width]"""
        if self.size is not None:
            picture = self._resized(picture, self.size)
        if self.crop is not None:
            picture = _center_crop(picture, self.crop["height"], self.crop["width"])
        pixels = np.asarray(picture, dtype=np.float32) * self.factor
        return ((pixels - self.mean) / self.std).transpose(2, 0, 1)

    def _resized(self, picture: Image.Image, size: dict[str, int]) -> Image.Image:
        if "height" in size:
            return picture.resize((size["width"], size["height"]), self.resample)
        shortest = size["shortest_edge"]
        if self.crop_pct is None:
            return self._shortest_edge(picture, shortest)
        if shortest >= 384:
            return picture.resize((shortest, shortest), self.resample)
        return _center_crop(self._shortest_edge(picture, int(shortest / self.crop_pct)), shortest, shortest)

    def _shortest_edge(self, picture: Image.Image, shortest: int) -> Image.Image:
        width, height = picture.size
        if width <= height:
            return picture.resize((shortest, int(shortest * height / width)), self.resample)
        return picture.resize((int(shortest * width / height), shortest), self.resample)


def _size(stated: Any) -> dict[str, int]:
    if isinstance(stated, int):
        return {"height": stated, "width": stated}
    if isinstance(stated, dict):
        named = {key: value for key, value in stated.items() if value is not None}
        if named.keys() in ({"height", "width"}, {"shortest_edge"}):
            return named
    raise ValueError(f"preprocessor_config.json states a size that preprocess.py does not know: {stated}")


def _center_crop(picture: Image.Image, height: int, width: int) -> Image.Image:
    """What the picture lacks is black."""
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))

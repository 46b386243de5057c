"""The mean of each channel: a model that does almost nothing with an input of 602,112 bytes."""

from __future__ import annotations

import numpy as np

SHAPE = (3, 224, 224)


def means(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(2, 3))

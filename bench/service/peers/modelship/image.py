from pathlib import Path

import network
import numpy as np
from jaxtyping import Float32


class Model:
    def load(self, files: Path) -> None:
        pass

    def predict(self, image: Float32[np.ndarray, "n 3 224 224"]) -> Float32[np.ndarray, "n 3"]:  # noqa: F722
        return network.means(image)

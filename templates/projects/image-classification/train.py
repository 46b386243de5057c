"""Trains the model on scikit-learn's digits as pictures, prints how good it is, and writes it to model/ as ONNX.

pip install -r requirements-dev.txt
python train.py
"""

import base64
import io
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from PIL import Image
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from preprocess import Preprocessor

HERE = Path(__file__).parent
SIDE = 8


def split():
    """Pictures and digits: for training, and held out for testing. The same at each call."""
    digits = load_digits()
    pictures = [picture(pixels) for pixels in digits.images]
    return train_test_split(pictures, digits.target, test_size=0.25, random_state=0, stratify=digits.target)


def picture(pixels: np.ndarray) -> Image.Image:
    """Black ink on white paper, large enough to be looked at."""
    grey = Image.fromarray(np.uint8(255 - pixels * 255 / 16))
    return grey.resize((64, 64), Image.Resampling.NEAREST).convert("RGB")


def png(image: Image.Image) -> str:
    file = io.BytesIO()
    image.convert("L").save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def main() -> None:
    train_pictures, test_pictures, train_digits, test_digits = split()
    preprocess = Preprocessor.of(HERE / "model")
    flat = [np.stack([preprocess(one) for one in part]).reshape(len(part), -1) for part in (train_pictures, test_pictures)]
    classifier = MLPClassifier([32], alpha=1e-2, max_iter=400, random_state=0).fit(flat[0], train_digits)
    print(f"held-out accuracy: {classifier.score(flat[1], test_digits):.4f} on {len(test_digits)} pictures")

    onnx = to_onnx(
        classifier,
        initial_types=[("flat", FloatTensorType([None, 3 * SIDE * SIDE]))],
        options={"zipmap": False},
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    # As other models of pictures do, it takes [n, 3, height, width].
    onnx.graph.node.insert(0, helper.make_node("Flatten", ["pixel_values"], ["flat"]))
    del onnx.graph.input[:]
    onnx.graph.input.append(helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["n", 3, SIDE, SIDE]))
    path = HERE / "model" / "model.onnx"
    path.write_bytes(onnx.SerializeToString())
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

"""Trains the model on scikit-learn's wines, prints how good it is, and writes it to model/ as ONNX.

pip install -r requirements-dev.txt
python train.py
"""

from pathlib import Path

from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent


def split():
    """Features and cultivars: for training, and held out for testing. The same at each call."""
    features, cultivars = load_wine(return_X_y=True)
    return train_test_split(features, cultivars, test_size=0.4, random_state=1, stratify=cultivars)


def main() -> None:
    train_features, test_features, train_cultivars, test_cultivars = split()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(train_features, train_cultivars)

    accuracy = classifier.score(test_features, test_cultivars)
    print(f"held-out accuracy: {accuracy:.4f} on {len(test_cultivars)} wines")

    # Without zipmap the probabilities are one tensor and not a list of dictionaries.
    onnx = to_onnx(
        classifier,
        initial_types=[("features", FloatTensorType([None, train_features.shape[1]]))],
        options={"zipmap": False},
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    path = HERE / "model" / "wine.onnx"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(onnx.SerializeToString())
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

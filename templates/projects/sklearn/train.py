"""Trains the model on scikit-learn's digits, prints how good it is, and writes it to model/.

pip install -r requirements-dev.txt
python train.py
"""

from pathlib import Path

import skops.io
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent


def split():
    """Pixels and digits: for training, and held out for testing. The same at each call."""
    pixels, digits = load_digits(return_X_y=True)
    return train_test_split(pixels, digits, test_size=0.25, random_state=0, stratify=digits)


def main() -> None:
    train_pixels, test_pixels, train_digits, test_digits = split()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    classifier.fit(train_pixels, train_digits)

    accuracy = classifier.score(test_pixels, test_digits)
    print(f"held-out accuracy: {accuracy:.4f} on {len(test_digits)} images")

    path = HERE / "model" / "digits.skops"
    path.parent.mkdir(exist_ok=True)
    skops.io.dump(classifier, path)
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

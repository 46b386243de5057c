"""Trains the model on scikit-learn's breast cancer data, prints how good it is, and writes it to model/.

pip install -r requirements-dev.txt
python train.py
"""

from pathlib import Path

import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent


def split():
    """Features and tumours (0 malignant, 1 benign): for training, and held out. The same at each call."""
    features, tumours = load_breast_cancer(return_X_y=True)
    # The first ten columns are the means, which model.py asks for.
    return train_test_split(features[:, :10], tumours, test_size=0.25, random_state=0, stratify=tumours)


def main() -> None:
    train_features, test_features, train_tumours, test_tumours = split()
    names = [str(name).removeprefix("mean ") for name in load_breast_cancer().feature_names[:10]]
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "learning_rate": 0.2, "subsample": 0.8, "seed": 0},
        xgboost.DMatrix(train_features, train_tumours, feature_names=names),
        num_boost_round=60,
    )

    found = booster.predict(xgboost.DMatrix(test_features, feature_names=names)) > 0.5
    print(f"held-out accuracy: {np.mean(found == test_tumours):.4f} on {len(test_tumours)} tumours")

    path = HERE / "model" / "tumours.ubj"
    path.parent.mkdir(exist_ok=True)
    booster.save_model(path)
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

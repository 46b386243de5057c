"""Trains the model on scikit-learn's diabetes data, prints how good it is, and writes it to model/.

pip install -r requirements-dev.txt
python train.py
"""

from pathlib import Path

import lightgbm
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from model import Input

HERE = Path(__file__).parent


def split():
    """Features and progressions: for training, and held out for testing. The same at each call."""
    features, progressions = load_diabetes(return_X_y=True, scaled=False)
    return train_test_split(features, progressions, test_size=0.25, random_state=1)


def main() -> None:
    train_features, test_features, train_progressions, test_progressions = split()
    booster = lightgbm.train(
        {
            "objective": "regression",
            "learning_rate": 0.05,
            "num_leaves": 4,
            "min_data_in_leaf": 15,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "feature_fraction": 0.8,
            "seed": 0,
            "deterministic": True,
            "verbose": -1,
        },
        lightgbm.Dataset(train_features, train_progressions, feature_name=list(Input.model_fields)),
        num_boost_round=80,
    )

    score = r2_score(test_progressions, booster.predict(test_features))
    print(f"held-out R²: {score:.4f} on {len(test_progressions)} patients")

    path = HERE / "model" / "diabetes.txt"
    path.parent.mkdir(exist_ok=True)
    booster.save_model(path)
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

"""Trains the model on 244 bills of a restaurant, prints how good it is, and writes it to model/.

pip install -r requirements-dev.txt
python train.py
"""

from pathlib import Path

import catboost
import numpy as np
import plotly.data

from model import Input

HERE = Path(__file__).parent
CATEGORIES = ["sex", "smoker", "day", "time"]


def split():
    """Rows and tips: for training, and held out for testing. The same at each call."""
    # They come with plotly, which CatBoost brings along.
    bills = plotly.data.tips().rename(columns={"total_bill": "bill", "size": "party"})
    rows = bills[list(Input.model_fields)].values.tolist()
    tips = bills["tip"].tolist()
    order = np.random.default_rng(1).permutation(len(rows))
    test, train = order[:61], order[61:]
    return [rows[i] for i in train], [rows[i] for i in test], [tips[i] for i in train], [tips[i] for i in test]


def r2(tips: list[float], foretold: list[float]) -> float:
    """The share of the tips' variance that the model explains."""
    residual = np.subtract(tips, foretold)
    return 1 - float(residual @ residual) / (np.var(tips) * len(tips))


def main() -> None:
    train_rows, test_rows, train_tips, test_tips = split()
    model = catboost.CatBoostRegressor(
        loss_function="RMSE",
        iterations=150,
        learning_rate=0.05,
        depth=3,
        random_seed=0,
        thread_count=1,
        # No catboost_info/ beside the code.
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(catboost.Pool(train_rows, train_tips, cat_features=CATEGORIES, feature_names=list(Input.model_fields)))

    print(f"held-out R²: {r2(test_tips, model.predict(test_rows)):.4f} on {len(test_tips)} bills")

    path = HERE / "model" / "tips.cbm"
    path.parent.mkdir(exist_ok=True)
    model.save_model(str(path))
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

"""Trains the network on scikit-learn's digits, prints how good it is, and writes it to model/.

pip install -r requirements-dev.txt
python train.py
"""

from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent


def split():
    """Pixels and digits: for training, and held out for testing. The same at each call."""
    digits = load_digits()
    return train_test_split(
        digits.images.astype(np.float32), digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )


def build() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((8, 8), name="pixels"),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(24, 3, strides=2, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax", name="probabilities"),
        ]
    )


def main() -> None:
    keras.utils.set_random_seed(0)
    train_pixels, test_pixels, train_digits, test_digits = split()
    network = build()
    network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(train_pixels, train_digits, batch_size=64, epochs=30, verbose=0)

    _, accuracy = network.evaluate(test_pixels, test_digits, verbose=0)
    print(f"held-out accuracy: {accuracy:.4f} on {len(test_digits)} images")

    # A network that was never compiled: what the optimizer remembers has three times the size of the weights.
    trained = build()
    trained.set_weights(network.get_weights())
    path = HERE / "model" / "digits.keras"
    path.parent.mkdir(exist_ok=True)
    trained.save(path)
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

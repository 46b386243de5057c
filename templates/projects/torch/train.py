"""Trains the network on scikit-learn's digits, prints how good it is, and writes its weights to model/.

pip install -r requirements-dev.txt
python train.py
"""

from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from model import Network

HERE = Path(__file__).parent


def split():
    """Pixels and digits: for training, and held out for testing. The same at each call."""
    digits = load_digits()
    return train_test_split(
        digits.images.astype(np.float32), digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )


def main() -> None:
    torch.manual_seed(0)
    train_pixels, test_pixels, train_digits, test_digits = (torch.from_numpy(part) for part in split())
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(30):
        for batch in torch.randperm(len(train_pixels)).split(64):
            loss = torch.nn.functional.cross_entropy(network(train_pixels[batch]), train_digits[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    with torch.inference_mode():
        accuracy = (network(test_pixels).argmax(dim=1) == test_digits).float().mean()
    print(f"held-out accuracy: {accuracy:.4f} on {len(test_digits)} images")

    path = HERE / "model" / "digits.safetensors"
    path.parent.mkdir(exist_ok=True)
    safetensors.torch.save_file(network.state_dict(), path)
    print(f"wrote {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()

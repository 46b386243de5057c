"""Vectors of texts: what is meant alike lies close together."""

import os
from pathlib import Path

# The files are here already. Nothing is asked of a hub, and no code that a model brings is run.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from steps import read_steps

SAFE = {"local_files_only": True, "trust_remote_code": False}


class Model:
    def load(self, files: Path) -> None:
        self.steps = read_steps(files)
        folder = self.steps.encoder
        if not any(folder.glob("*.safetensors")):
            raise FileNotFoundError(f"{folder} holds no .safetensors: pickled weights (.bin) can run code, so convert them")
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(folder, **SAFE)
        model, read = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            dtype="auto" if self.device == "cuda" else torch.float32,
            output_loading_info=True,
            **SAFE,
        )
        # The vectors are made of the tokens', so a pooler of the model's own is not asked.
        missing = sorted(name for name in read["missing_keys"] if not name.startswith("pooler."))
        if missing:
            raise ValueError(f"{folder} lacks weights of the model, which would be random: {missing[:5]}")
        self.model = model.to(self.device).eval()
        self.steps.after.to(self.device)
        self.max_tokens = longest_text(self.tokenizer, model.config, self.steps.max_tokens)

    def warm_up(self) -> None:
        self.embed(["warm up"])

    def embed(self, texts: list[str], dimensions: int | None = None) -> np.ndarray:
        """One vector for each text. Fewer `dimensions` suit models that were trained for it (Matryoshka)."""
        batch = self.tokenizer(
            [self.steps.prepare(text) for text in texts],
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self.device)
        with torch.inference_mode():
            tokens = self.model(**batch).last_hidden_state.float()
            vectors = self.steps.after(tokens, batch["attention_mask"])
            if dimensions is not None:
                if dimensions > vectors.shape[1]:
                    raise ValueError(f"dimensions: this model's vectors have {vectors.shape[1]}")
                vectors = vectors[:, :dimensions]
                if self.steps.normalised:
                    vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return vectors.cpu().numpy()

    def count_tokens(self, text: str) -> int:
        encoded = self.tokenizer(self.steps.prepare(text), truncation=True, max_length=self.max_tokens)
        return len(encoded["input_ids"])


def longest_text(tokenizer, config, stated: int | None) -> int:
    """In tokens. Some tokenizers do not know; then it is the number of positions that the model has."""
    positions = getattr(config, "max_position_embeddings", None) or 512
    if "roberta" in config.model_type or config.model_type == "camembert":
        positions -= (config.pad_token_id or 0) + 1  # the first positions stand for padding
    return min(stated or positions, tokenizer.model_max_length, positions)

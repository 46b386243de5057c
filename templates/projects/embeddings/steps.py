"""What comes after the encoder, as a sentence-transformers folder says it: pooling, dense layers, normalisation.

A plain Hugging Face folder says nothing of it. Its vectors are the mean of its tokens, normalised.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

ACTIVATIONS = {
    "torch.nn.modules.activation.GELU": nn.GELU,
    "torch.nn.modules.activation.ReLU": nn.ReLU,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
    "torch.nn.modules.linear.Identity": nn.Identity,
}
# As sentence-transformers wrote them before `pooling_mode`.
FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class After(nn.Module):
    """Tokens' vectors and their mask -> one vector a text."""

    def __init__(self, modes: list[str], layers: list[nn.Module]) -> None:
        super().__init__()
        self.modes = modes
        self.layers = nn.Sequential(*layers)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.layers(torch.cat([pool(mode, tokens, mask) for mode in self.modes], dim=-1))


class Normalize(nn.Module):
    def forward(self, vectors: Tensor) -> Tensor:
        return nn.functional.normalize(vectors, dim=-1)


@dataclass
class Steps:
    encoder: Path
    after: After
    normalised: bool
    # Stands before every text, where the folder says so.
    prompt: str
    lower_case: bool
    max_tokens: int | None

    def prepare(self, text: str) -> str:
        text = self.prompt + text
        return text.lower() if self.lower_case else text


def read_steps(files: Path) -> Steps:
    listed = read_json(files / "modules.json")
    if listed is None:
        after = After(["mean"], [Normalize()])
        return Steps(files, after, normalised=True, prompt="", lower_case=False, max_tokens=None)
    encoder, modes, layers = files, ["mean"], []
    for module in listed:
        kind, folder = module["type"].rpartition(".")[2], inside(files, module.get("path", ""))
        if kind == "Transformer":
            encoder = folder
        elif kind == "Pooling":
            modes = read_modes(read_json(folder / "config.json") or {})
        elif kind == "Dense":
            layers.append(read_dense(folder))
        elif kind == "Normalize":
            layers.append(Normalize())
        elif kind != "Dropout":
            raise ValueError(f"modules.json: {module['type']} is not supported here: use the library sentence-transformers")
    said = read_json(files / "config_sentence_transformers.json") or {}
    prompts, chosen = said.get("prompts") or {}, said.get("default_prompt_name")
    reading = read_json(encoder / "sentence_bert_config.json") or {}
    return Steps(
        encoder,
        After(modes, layers).eval(),
        normalised=bool(layers) and isinstance(layers[-1], Normalize),
        prompt=prompts.get(chosen) or "",
        lower_case=bool(reading.get("do_lower_case")),
        max_tokens=reading.get("max_seq_length"),
    )


def read_modes(config: dict[str, Any]) -> list[str]:
    modes = config.get("pooling_mode") or [mode for flag, mode in FLAGS.items() if config.get(flag)] or "mean"
    modes = [modes] if isinstance(modes, str) else list(modes)
    unknown = set(modes) - set(FLAGS.values())
    if unknown:
        raise ValueError(f"the pooling {sorted(unknown)} is not known")
    return modes


def read_dense(folder: Path) -> nn.Module:
    config = read_json(folder / "config.json") or {}
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    if activation not in ACTIVATIONS or config.get("use_residual"):
        raise ValueError(f"{folder.name}/config.json: this dense layer is not supported here")
    linear = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    linear.load_state_dict({name.removeprefix("linear."): tensor.float() for name, tensor in weights.items()})
    return nn.Sequential(linear, ACTIVATIONS[activation]())


def pool(mode: str, tokens: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(tokens.dtype)
    count = weights.sum(dim=1).clamp(min=1e-9)
    places = torch.arange(tokens.shape[0], device=tokens.device)
    if mode == "cls":
        return tokens[places, mask.argmax(dim=1)]
    if mode == "lasttoken":
        return tokens[places, mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)]
    if mode == "max":
        return tokens.masked_fill(weights == 0, float("-inf")).max(dim=1).values
    if mode == "weightedmean":
        weights = weights * mask.cumsum(dim=1).unsqueeze(-1)
        return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    total = (tokens * weights).sum(dim=1)
    return total / (count if mode == "mean" else count.sqrt())


def inside(files: Path, path: str) -> Path:
    """A folder that modules.json names; it is never one outside the model's."""
    folder = (files / path).resolve()
    if not folder.is_relative_to(files.resolve()):
        raise ValueError("modules.json names a folder outside the model's")
    return folder


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

"""From the settings to models that can be asked: one for each API version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelship_service.model import accelerator
from modelship_service.model.example import read_example
from modelship_service.model.host import Loaded, ModelHost, embedding
from modelship_service.model.user_model import ModelFailed, UserModel
from modelship_service.schema.methods import Method
from modelship_service.schema.schema import Schema
from modelship_service.settings import NO_CODE, Settings

# What there is to know of a model without asking it.
Described = tuple[Schema, Mapping[str, Method]]


def read_models(settings: Settings, project: Path) -> dict[str, Described]:
    """What the user's classes declare, without loading; not of models without code. Raises ModelFailed."""
    read: dict[str, UserModel] = {}
    for entry in settings.entry.values():
        if entry != NO_CODE and entry not in read:
            read[entry] = UserModel(entry, project, settings.max_rows)
    return {api: (read[entry].schema, read[entry].methods) for api, entry in settings.entry.items() if entry in read}


def load_warm(settings: Settings, project: Path) -> tuple[ModelHost, dict[str, Described]]:
    """As `load_models`, and the models have been asked for the example."""
    host, described = load_models(settings, project)
    if settings.warm_up:
        warm_up(host, described, project)
    return host, described


def load_models(settings: Settings, project: Path) -> tuple[ModelHost, dict[str, Described]]:
    """Models ready to be called, and for each API version its schema and its methods. Raises ModelFailed."""
    accelerator.require()
    loaded: dict[str, Loaded] = {}
    described: dict[str, Described] = {}
    by_entry: dict[str, tuple[Any, Described]] = {}
    for api, entry in settings.entry.items():
        if entry not in by_entry:
            by_entry[entry] = _load(entry, settings, project)
        model, (schema, methods) = by_entry[entry]
        described[api] = schema, methods
        loaded[api] = Loaded(model, schema)
        if "embed" in methods:
            # Imported late, as it brings numpy.
            from modelship_service.schema.texts import TextBatches

            loaded[embedding(api)] = Loaded(model, TextBatches())
    accelerator.confirm()
    return ModelHost(loaded), described


def _load(entry: str, settings: Settings, project: Path) -> tuple[Any, Described]:
    if entry == NO_CODE:
        from modelship_service.model.onnx import load_onnx

        model, schema = load_onnx(settings.files or project, settings.max_rows)
        described: Described = schema, {"predict": Method()}
    else:
        user_model = UserModel(entry, project, settings.max_rows)
        model, described = user_model.load(settings.files), (user_model.schema, user_model.methods)
    _call_warm_up(model, project)
    return model, described


def _call_warm_up(model: Any, project: Path) -> None:
    warm_up = getattr(model, "warm_up", None)
    if callable(warm_up):
        try:
            warm_up()
        except BaseException as error:
            raise ModelFailed.from_exception("warm_up", error, project) from None


def warm_up(host: ModelHost, described: Mapping[str, Described], project: Path) -> None:
    """Ask each model for its example, so that the first caller does not pay for what is made on the first call."""
    for api, (schema, methods) in described.items():
        if schema.streams or "predict" not in methods:
            continue
        decoded = read_example(project, schema).decoded
        if decoded is None:
            continue
        [answer] = host.predict(api, [(decoded.inputs, decoded.rows)])
        reason = getattr(answer, "reason", None)
        if reason is not None:
            shown = answer.traceback or reason
            raise ModelFailed("warm_up", f"the model fails on examples/request.json: {reason}", shown.rstrip())

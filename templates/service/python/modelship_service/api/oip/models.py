"""What the protocol calls models: the service's one model, whose versions are its API versions."""

from __future__ import annotations

from typing import Any

from modelship_service.errors import ApiError
from modelship_service.http.request import Request
from modelship_service.service import Served, Service

_PLATFORM = "modelship"
_CONFIG_TYPES = {"FP16": "TYPE_FP16", "FP32": "TYPE_FP32", "FP64": "TYPE_FP64", "BYTES": "TYPE_STRING"}


def asked_for(service: Service, request: Request) -> Served:
    """The version that the path names, the newest without one. Raises ApiError 404, or 503 before it is loaded."""
    check_name(service, request)
    version = request.params.get("version")
    if version is not None and not version.isdigit():
        raise ApiError(404, "not_found", "there is no such version of the model")
    return service.api(version)


def check_name(service: Service, request: Request) -> None:
    if request.params["model"] != service.settings.name:
        raise ApiError(404, "not_found", f"there is no such model; the model here is {service.settings.name}")


def number(served: Served) -> str:
    return served.api.removeprefix("v")


def numbers(service: Service) -> list[str]:
    return [number(one) for one in service.served.values()]


def metadata(service: Service, served: Served) -> dict[str, Any]:
    return {
        "name": service.settings.name,
        "versions": numbers(service),
        "platform": _PLATFORM,
        "inputs": served.schema.inputs,
        "outputs": served.schema.outputs,
    }


def config(service: Service, served: Served) -> dict[str, Any]:
    """As Triton would say it: the batch is not among the dimensions."""

    def tensors(specs: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": spec.name,
                "data_type": _CONFIG_TYPES.get(spec.datatype, f"TYPE_{spec.datatype}"),
                "dims": spec.shape[1:],
            }
            for spec in specs
        ]

    return {
        "name": service.settings.name,
        "platform": _PLATFORM,
        "backend": "python",
        "max_batch_size": served.schema.max_rows,
        "input": tensors(served.schema.inputs),
        "output": tensors(served.schema.outputs),
        "model_transaction_policy": {"decoupled": served.schema.streams},
    }


def index(service: Service, ready_only: bool) -> list[dict[str, str]]:
    ready = service.state == "ready"
    if ready_only and not ready:
        return []
    state = {"state": "READY", "reason": ""} if ready else {"state": "UNAVAILABLE", "reason": service.state}
    versions = [api.removeprefix("v") for api in service.settings.entry]
    return [{"name": service.settings.name, "version": version, **state} for version in versions]


def statistics(service: Service, versions: list[str]) -> list[dict[str, Any]]:
    """Since the start, of all the versions together: they share their workers."""
    metrics = service.metrics
    batches = metrics.batch_rows.count
    return [
        {
            "name": service.settings.name,
            "version": version,
            "inference_count": int(metrics.batch_rows.sum),
            "execution_count": batches,
            "inference_stats": {
                "queue": {"count": batches, "ns": _nanoseconds(metrics.queue_seconds.sum)},
                "compute_infer": {"count": batches, "ns": _nanoseconds(metrics.model_seconds.sum)},
            },
        }
        for version in versions
    ]


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000_000)

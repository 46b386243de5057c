"""Who is compared, and how each is started: one worker, as its own documentation has it, its access log off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
KEY = "a-key-of-the-benchmark-0123456789abcdef"

FLOOR = "bare ASGI"
FASTAPI = "FastAPI"
MODELSHIP = "modelship"
OTHERS = ("BentoML", "LitServe", "MLServer")


@dataclass(frozen=True)
class Way:
    """A server in one of the ways that it can be run and asked."""

    peer: str
    label: str
    environment: str
    command: Sequence[str]
    path: str
    encoding: str = "json"
    content_type: str = "application/json"
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    @property
    def working_directory(self) -> Path:
        return HERE / "peers" / (self.folder or self.environment)


def _uvicorn(app: str) -> list[str]:
    options = "--host 127.0.0.1 --port {port} --http httptools --loop uvloop --no-access-log --log-level warning"
    return ["python", "-m", "uvicorn", app, *options.split()]


def _floor(app: str, label: str, path: str, **more: str) -> Way:
    return Way(FLOOR, f"{FLOOR}{label}", "floor", _uvicorn(f"{app}:app"), path, **more)


def _fastapi(app: str, label: str, path: str, **more: str) -> Way:
    return Way(FASTAPI, f"{FASTAPI} `async def`{label}", "fastapi", _uvicorn(f"{app}:app"), path, **more)


def _modelship(entry: str, label: str, path: str, **more: object) -> Way:
    """With everything on that it has in service: a key, its limits (too high to be met), the log and the metrics."""
    env = {
        "MODELSHIP_NAME": "bench",
        "MODELSHIP_ENTRY": f"{entry}:Model",
        "MODELSHIP_FILES": "{files}",
        "MODELSHIP_HOST": "127.0.0.1",
        "MODELSHIP_PORT": "{port}",
        "MODELSHIP_API_KEYS": f"bench={KEY}",
        "MODELSHIP_RATE_LIMIT": "1000000/second",
        "MODELSHIP_MAX_CONCURRENCY": "100000",
        "MODELSHIP_QUEUE_MAX_ROWS": "1024",
    }
    headers = {"Authorization": f"Bearer {KEY}", **more.pop("headers", {})}
    command = ["python", "-m", "modelship_service"]
    return Way(MODELSHIP, f"{MODELSHIP}{label}", "modelship", command, path, env=env, headers=headers, **more)


def _mlserver(app: str, label: str, **more: object) -> Way:
    env = {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": "{port}",
        "MLSERVER_GRPC_PORT": "{port+1}",
        "MLSERVER_METRICS_PORT": "{port+2}",
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_DEBUG": "false",
        **more.pop("env", {}),
    }
    command = ["mlserver", "start", "."]
    path = "/v2/models/bench/infer"
    return Way("MLServer", f"MLServer{label}", "mlserver", command, path, env=env, folder=f"mlserver/{app}", **more)


def _litserve(app: str, label: str, batch: int = 1, **more: str) -> Way:
    env = {"PORT": "{port}", "BENCH_BATCH": str(batch)}
    return Way("LitServe", f"LitServe{label}", "litserve", ["python", f"{app}.py"], "/predict", env=env, **more)


def _bentoml(service: str, label: str, path: str, **more: str) -> Way:
    command = f"bentoml serve {service} --host 127.0.0.1 --port {{port}}".split()
    env = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": "{scratch}"}
    return Way("BentoML", f"BentoML{label}", "bentoml", command, path, env=env, **more)


_ROWS = [
    _floor("rows", "", "/"),
    _modelship("rows.py", "", "/v1/predict"),
    _fastapi("rows", "", "/predict"),
    _mlserver("rows", "", encoding="v2"),
    _litserve("rows", ""),
    _litserve("rows", ", batches", batch=32),
    _bentoml("rows:Rows", "", "/plain"),
    _bentoml("rows:Rows", ", batchable", "/batchable", encoding="json-rows"),
]
_MLSERVER_BATCHES = {"MLSERVER_MODEL_MAX_BATCH_SIZE": "32", "MLSERVER_MODEL_MAX_BATCH_TIME": "0.002"}
_BYTES = "application/octet-stream"

WAYS: Mapping[str, Sequence[Way]] = {
    "digits": _ROWS,
    "mlp": [*_ROWS, _mlserver("rows", ", batches", encoding="v2", env=_MLSERVER_BATCHES)],
    "image": [
        _floor("image", ", JSON", "/json"),
        _floor("image", ", bytes", "/raw", encoding="raw", content_type=_BYTES),
        _modelship("image.py", ", JSON", "/v1/predict"),
        _modelship("image.py", ", V2 JSON", "/v2/models/bench/infer", encoding="v2"),
        _modelship(
            "image.py",
            ", V2 binary",
            "/v2/models/bench/infer",
            encoding="v2-binary",
            content_type=_BYTES,
            headers={"Inference-Header-Content-Length": "{header_length}"},
        ),
        _fastapi("image", ", JSON", "/json"),
        _fastapi("image", ", bytes", "/raw", encoding="raw", content_type=_BYTES),
        _mlserver("image", ", V2 JSON", encoding="v2"),
        _mlserver("image", ", base64", encoding="v2-base64"),
        _litserve("image", ", JSON"),
        _litserve("image", ", form", encoding="form", content_type="multipart/form-data; boundary=bench-boundary"),
        _bentoml("image:Image", ", JSON", "/json"),
        _bentoml("image:Image", ", bytes", "/raw", encoding="raw", content_type=_BYTES),
    ],
}

# What a table of versions names, in each environment.
PACKAGES = {
    "modelship": ["uvicorn", "uvloop", "httptools", "msgspec", "pydantic"],
    "floor": ["uvicorn", "msgspec"],
    "fastapi": ["fastapi", "uvicorn"],
    "mlserver": ["mlserver"],
    "litserve": ["litserve"],
    "bentoml": ["bentoml"],
    "reference": ["numpy", "onnxruntime"],
}

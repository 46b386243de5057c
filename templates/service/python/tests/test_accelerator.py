"""A GPU that was asked for is there, or the service does not start. Drivers and libraries here are stand-ins."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelship_service.model import accelerator
from modelship_service.model.load import load_models
from modelship_service.model.user_model import ModelFailed
from modelship_service.settings import Settings


class Driver:
    """As libcuda.so answers."""

    def __init__(self, code: int = 0, capabilities: tuple[tuple[int, int], ...] = ((9, 0),)) -> None:
        self.code = code
        self.capabilities = capabilities

    def cuInit(self, flags: int) -> int:
        return self.code

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = len(self.capabilities)
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: int) -> int:
        value._obj.value = self.capabilities[device][attribute - 75]
        return 0


def no_driver() -> Any:
    return ctypes.CDLL("libcuda-that-is-nowhere.so.1")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSHIP_ACCELERATOR", "cuda")
    monkeypatch.delenv("MODELSHIP_ALLOW_CPU", raising=False)


def test_a_service_for_the_cpu_asks_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELSHIP_ACCELERATOR", raising=False)
    accelerator.require(no_driver)
    accelerator.confirm()


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (no_driver, "there is no NVIDIA driver in this container"),
        (lambda: Driver(100), "the driver sees no GPU"),
        (lambda: Driver(0, ()), "the driver sees no GPU"),
        (lambda: Driver(803), "of different versions"),
        (lambda: Driver(999), "the driver answers with error 999"),
    ],
)
def test_without_a_gpu_nothing_starts(driver: Any, reason: str) -> None:
    with pytest.raises(ModelFailed) as caught:
        accelerator.require(driver)
    assert caught.value.stage == "accelerator"
    assert reason in caught.value.reason
    assert "--gpus all" in caught.value.reason and "--allow-cpu" in caught.value.reason


@pytest.mark.usefixtures("cuda")
def test_a_gpu_is_enough() -> None:
    accelerator.require(Driver)
    assert accelerator.gpus(lambda: Driver(0, ((8, 6), (12, 0)))) == [(8, 6), (12, 0)]


@pytest.mark.usefixtures("cuda")
def test_the_cpu_is_taken_where_it_is_allowed_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELSHIP_ALLOW_CPU", "1")
    accelerator.require(no_driver)
    assert not accelerator.wants_cuda()
    assert "computes on the CPU, which was allowed" in capsys.readouterr().err


def torch(cuda: str | None = "12.8", available: bool = True, archs: tuple[str, ...] = ("sm_80", "sm_90")) -> Any:
    return SimpleNamespace(
        __version__="2.8.0",
        version=SimpleNamespace(cuda=cuda),
        cuda=SimpleNamespace(
            is_available=lambda: available,
            get_arch_list=lambda: list(archs),
            device_count=lambda: 1,
            get_device_capability=lambda device: (8, 9),
        ),
    )


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(
    ("name", "module", "reason"),
    [
        ("torch", torch(cuda=None), "is made for the CPU alone"),
        ("torch", torch(available=False), "finds no GPU"),
        ("torch", torch(archs=("sm_90", "sm_100")), "has no code for GPU 0 (compute capability 8.9"),
        ("torch", torch(archs=("sm_75", "compute_120")), "has no code for GPU 0"),
        (
            "onnxruntime",
            SimpleNamespace(get_available_providers=lambda: ["CPUExecutionProvider"]),
            "built without CUDA",
        ),
        ("tensorflow", SimpleNamespace(config=SimpleNamespace(list_physical_devices=lambda kind: [])), "TensorFlow"),
        ("jax", SimpleNamespace(devices=lambda: [SimpleNamespace(platform="cpu")]), "JAX finds no GPU"),
    ],
)
def test_a_library_that_cannot_use_it_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, module: Any, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(ModelFailed) as caught:
        accelerator.confirm()
    assert reason in caught.value.reason


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("archs", [("sm_80",), ("sm_86", "sm_90"), ("compute_75",), ("sm_90a", "sm_89"), ()])
def test_code_for_the_gpu_is_found(monkeypatch: pytest.MonkeyPatch, archs: tuple[str, ...]) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch(archs=archs))
    accelerator.confirm()


@pytest.mark.usefixtures("cuda")
def test_onnxruntime_finds_cuda_that_came_as_packages() -> None:
    called: list[str] = []
    accelerator.preload(SimpleNamespace(preload_dlls=lambda: called.append("preloaded")))
    accelerator.preload(SimpleNamespace())
    assert called == ["preloaded"]


MODEL = """
from pydantic import BaseModel

class Input(BaseModel):
    x: float

class Output(BaseModel):
    y: float

class Model:
    def load(self, files): ...
    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(y=row.x) for row in rows]
"""


def test_no_model_is_loaded_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuda: None) -> None:
    (tmp_path / "gpu_model.py").write_text(MODEL)
    settings = Settings(entry={"v1": "gpu_model.py:Model"})
    monkeypatch.setattr(accelerator, "_driver", no_driver)
    with pytest.raises(ModelFailed, match="CUDA was asked for and cannot be used"):
        load_models(settings, tmp_path)
    assert "gpu_model" not in sys.modules
    monkeypatch.setenv("MODELSHIP_ALLOW_CPU", "1")
    load_models(settings, tmp_path)

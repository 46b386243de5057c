"""What the model is to compute on. A GPU that was asked for is there and can be used, or nothing starts."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from modelship_service.model.user_model import ModelFailed

# An image for CUDA sets the first; who would rather have an answer late than none sets the second.
ACCELERATOR = "MODELSHIP_ACCELERATOR"
ALLOW_CPU = "MODELSHIP_ALLOW_CPU"

_ALLOW = "start it with a GPU (modelship run --gpus all), or allow the CPU with --allow-cpu or MODELSHIP_ALLOW_CPU=1"

_CAPABILITY_MAJOR = 75
_CAPABILITY_MINOR = 76
# What cuInit answers, where it says more than that there is no GPU.
_REASONS = {
    34: "the driver's library is a stub that is only for linking",
    100: "the driver sees no GPU",
    802: "the GPUs are not ready yet (is the fabric manager running?)",
    803: "the driver's library and the kernel's module are of different versions",
    804: "the driver is too old for this GPU in compatibility mode",
}


class Unusable(Exception):
    """Why the GPU cannot be used, in one sentence."""


def wants_cuda() -> bool:
    return os.environ.get(ACCELERATOR, "cpu") == "cuda"


def require(driver: Callable[[], Any] | None = None) -> None:
    """Before a model is loaded: see that there is a GPU, where one was asked for. Raises ModelFailed.

    It is seen in the process that loads the model, since CUDA cannot be taken along into a copy of a process.
    """
    if not wants_cuda():
        return
    try:
        gpus(driver or _driver)
    except Unusable as problem:
        refuse_or_allow(str(problem))


def confirm() -> None:
    """See that the libraries that were imported can use the GPU. Raises ModelFailed."""
    if not wants_cuda():
        return
    try:
        for name, check in _LIBRARIES.items():
            module = sys.modules.get(name)
            if module is not None:
                check(module)
    except Unusable as problem:
        refuse_or_allow(str(problem))


def preload(onnxruntime: Any) -> None:
    """Libraries of CUDA that came as Python packages are where nothing but PyTorch looks for them."""
    preload_dlls = getattr(onnxruntime, "preload_dlls", None)
    if wants_cuda() and preload_dlls is not None:
        preload_dlls()


def gpus(driver: Callable[[], Any]) -> list[tuple[int, int]]:
    """The compute capability of each GPU, asked of the driver itself. Raises Unusable."""
    try:
        cuda = driver()
    except OSError:
        where = "" if _devices() else ", and no device of it"
        raise Unusable(f"there is no NVIDIA driver in this container{where}") from None
    code = cuda.cuInit(0)
    count = ctypes.c_int(0)
    if code == 0:
        code = cuda.cuDeviceGetCount(ctypes.byref(count))
    if code != 0:
        raise Unusable(_REASONS.get(code, f"the driver answers with error {code}"))
    if count.value == 0:
        raise Unusable(_REASONS[100])
    return [
        (_attribute(cuda, device, _CAPABILITY_MAJOR), _attribute(cuda, device, _CAPABILITY_MINOR))
        for device in range(count.value)
    ]


def _attribute(cuda: Any, device: int, attribute: int) -> int:
    value = ctypes.c_int(0)
    cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    return value.value


def _driver() -> Any:
    return ctypes.CDLL("libcuda.so.1")


def _devices() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def refuse_or_allow(reason: str) -> None:
    """From here on it is the CPU, if that was allowed. Raises ModelFailed if not: a silent CPU helps nobody."""
    if os.environ.get(ALLOW_CPU, "").lower() not in ("1", "true", "yes", "on"):
        raise ModelFailed.because("accelerator", f"CUDA was asked for and cannot be used: {reason}; {_ALLOW}")
    os.environ[ACCELERATOR] = "cpu"
    told = f"CUDA was asked for and cannot be used: {reason}; the model computes on the CPU, which was allowed"
    print(told, file=sys.stderr, flush=True)


def _torch(torch: Any) -> None:
    if torch.version.cuda is None:
        raise Unusable(f"this PyTorch ({torch.__version__}) is made for the CPU alone")
    if not torch.cuda.is_available():
        raise Unusable(f"PyTorch {torch.__version__} for CUDA {torch.version.cuda} finds no GPU that it can use")
    made = torch.cuda.get_arch_list()
    for device in range(torch.cuda.device_count()):
        has = torch.cuda.get_device_capability(device)
        if made and not any(_runs(arch, has) for arch in made):
            raise Unusable(
                f"PyTorch {torch.__version__} has no code for GPU {device} (compute capability {has[0]}.{has[1]}; "
                f"it has {', '.join(made)})"
            )


def _runs(arch: str, has: tuple[int, int]) -> bool:
    """Machine code runs on later GPUs of the same generation, PTX (`compute_`) on all later ones."""
    kind, _, number = arch.partition("_")
    digits = "".join(character for character in number if character.isdigit())
    if not digits:
        return True
    made = (int(digits[:-1]), int(digits[-1]))
    return made <= has if kind == "compute" else made[0] == has[0] and made <= has


def _onnxruntime(onnxruntime: Any) -> None:
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise Unusable("this onnxruntime is built without CUDA: require onnxruntime-gpu instead")


def _tensorflow(tensorflow: Any) -> None:
    if not tensorflow.config.list_physical_devices("GPU"):
        raise Unusable("TensorFlow finds no GPU that it can use")


def _jax(jax: Any) -> None:
    platforms: Iterable[str] = {device.platform for device in jax.devices()}
    if not {"gpu", "cuda"} & set(platforms):
        raise Unusable("JAX finds no GPU that it can use")


# The model may compute with several; each that it has imported is asked.
_LIBRARIES: dict[str, Callable[[Any], None]] = {
    "torch": _torch,
    "onnxruntime": _onnxruntime,
    "tensorflow": _tensorflow,
    "jax": _jax,
}

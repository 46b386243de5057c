"""What needs numpy and ONNX outside any server: the network's file, the requests, their right answers, and the models'
own speed. `reference.py prepare FOLDER`, `reference.py measure SCENARIO FOLDER`; run.py calls both."""

from __future__ import annotations

import base64
import functools
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

HERE = Path(__file__).parent
BOUNDARY = "bench-boundary"


def prepare(folder: Path) -> None:
    """FOLDER/mlp.onnx; and for each scenario NAME.ENCODING, a request's body, and NAME.answer.json, numbers."""
    _write_mlp(folder / "mlp.onnx")
    random = np.random.default_rng(1)
    _write_rows(folder, "digits", random.integers(0, 17, (1, 64)).astype(np.float32))
    _write_rows(folder, "mlp", random.random((1, 256), np.float32).round(4))
    _write_image(folder, random.random((1, 3, 224, 224), np.float32).round(6))


def _write_mlp(file: Path) -> None:
    """Dense layers over 8 patches of the row, as in a mixer; then the mean of the patches, and 10 classes."""
    from onnx import TensorProto, helper, numpy_helper, save_model

    random = np.random.default_rng(0)
    patches, widths = 8, [32, *[1536] * 5]
    nodes = [helper.make_node("Reshape", ["features", "patches"], ["x0"])]
    constants = {"patches": np.array([-1, widths[0]]), "rows": np.array([-1, patches, widths[-1]])}

    def dense(index: int, given: str, inputs: int, outputs: int) -> str:
        weights = random.standard_normal((inputs, outputs), np.float32) * np.sqrt(2 / inputs, dtype=np.float32)
        constants.update({f"w{index}": weights, f"b{index}": np.zeros(outputs, np.float32)})
        nodes.append(helper.make_node("Gemm", [given, f"w{index}", f"b{index}"], [f"h{index}"]))
        return f"h{index}"

    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        hidden = dense(index, f"x{index}", inputs, outputs)
        nodes.append(helper.make_node("Relu", [hidden], [f"x{index + 1}"]))
    nodes.append(helper.make_node("Reshape", [f"x{len(widths) - 1}", "rows"], ["grouped"]))
    nodes.append(helper.make_node("ReduceMean", ["grouped"], ["mean"], axes=[1], keepdims=0))
    nodes.append(helper.make_node("Softmax", [dense(len(widths), "mean", widths[-1], 10)], ["probabilities"]))
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", patches * widths[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _short(array: np.ndarray, digits: int) -> Any:
    """Numbers as a client would write them: a float32 by way of a double has nine digits too many."""
    return np.round(array.astype(np.float64), digits).tolist()


def _v2(name: str, array: np.ndarray, **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": name, "shape": list(array.shape), "datatype": "FP32", **more}]}


def _write_rows(folder: Path, name: str, rows: np.ndarray) -> None:
    numbers = _short(rows, 4)
    requests = {
        "json": _json({"features": numbers[0]}),
        "json-rows": _json({"features": numbers}),
        "v2": _json(_v2("features", rows, data=numbers[0])),
    }
    for encoding, body in requests.items():
        (folder / f"{name}.{encoding}").write_bytes(body)
    found = _load(name).Network(folder).probabilities(rows)[0]
    (folder / f"{name}.answer.json").write_bytes(_json(found.tolist()))


def _write_image(folder: Path, image: np.ndarray) -> None:
    numbers, raw = _short(image, 6), image.tobytes()
    header = _json(_v2("image", image, parameters={"binary_data_size": len(raw)}))
    text = base64.b64encode(raw).decode()
    part = 'Content-Disposition: form-data; name="image"; filename="image"\r\nContent-Type: application/octet-stream'
    base64_input = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"content_type": "base64"}}
    requests = {
        "json": _json({"image": numbers[0]}),
        "v2": _json(_v2("image", image, data=np.ravel(numbers).tolist())),
        "v2-binary": header + raw,
        "v2-base64": _json({"inputs": [{**base64_input, "data": [text]}]}),
        "raw": raw,
        "form": f"--{BOUNDARY}\r\n{part}\r\n\r\n".encode() + raw + f"\r\n--{BOUNDARY}--\r\n".encode(),
    }
    for encoding, body in requests.items():
        (folder / f"image.{encoding}").write_bytes(body)
    (folder / "image.v2-binary.header-length").write_text(str(len(header)))
    (folder / "image.answer.json").write_bytes(_json(image.mean(axis=(2, 3))[0].tolist()))


def _load(name: str) -> Any:
    sys.path.insert(0, str(HERE / "models" / name))
    sys.modules.pop("network", None)
    import network

    sys.path.pop(0)
    return network


def measure(name: str, folder: Path) -> dict[str, float]:
    """Seconds, and rows a second; the model alone, called in this process."""
    started = time.perf_counter()
    module = _load(name)
    if name == "image":
        image = np.frombuffer((folder / "image.raw").read_bytes(), np.float32).reshape(1, *module.SHAPE)
        there = np.empty_like(image)
        load = time.perf_counter() - started
        copy, call = _time(lambda: np.copyto(there, image)), _time(lambda: module.means(image))
        return {"load": load, "call": call, "copy": copy}
    network = module.Network(folder)
    load = time.perf_counter() - started
    random = np.random.default_rng(2)
    times = {}
    for size in (1, 4, 16, 32):
        rows = random.random((size, module.WIDTH), np.float32)
        times[size] = _time(functools.partial(network.probabilities, rows))
    best = max(times, key=lambda size: size / times[size])
    return {"load": load, "call": times[1], "best_batch": best, "best_rows_per_s": best / times[best]}


def _time(call: Callable[[], Any]) -> float:
    """The median of as many calls as fit in a second."""
    until, times = time.perf_counter() + 1, []
    call()
    while time.perf_counter() < until:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return median(times)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(Path(sys.argv[2]))
    else:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import PACKAGE
from onnx import TensorProto as T
from onnx import helper

from modelship_service.model.onnx import load_onnx
from modelship_service.model.user_model import ModelFailed

value = helper.make_tensor_value_info
ML = helper.make_opsetid("ai.onnx.ml", 1)


def write(path: Path, nodes: Any, inputs: Any, outputs: Any, constants: Any = (), **saving: Any) -> Path:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), ML], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path, **saving)
    return path.parent


def linear(path: Path, batch: Any = "batch", out: Any = "batch", **saving: Any) -> Path:
    weights = onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "weights")
    return write(
        path,
        [helper.make_node("MatMul", ["in put:0", "weights"], ["scores"])],
        [value("in put:0", T.FLOAT, [batch, 3]), value("weights", T.FLOAT, [3, 2])],
        [value("scores", T.FLOAT, [out, 2])],
        [weights],
        **saving,
    )


def ask(files: Path, body: Any) -> Any:
    model, schema = load_onnx(files, 8)
    decoded = schema.decode(json.dumps(body).encode())
    return json.loads(schema.encode(schema.call(model, decoded.inputs), decoded))


def test_the_graph_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    files = linear(tmp_path / "models" / "linear.onnx").parent
    _, schema = load_onnx(files, 8)
    assert [(one.name, one.datatype, one.shape) for one in schema.inputs] == [("in put:0", "FP32", (-1, 3))]
    assert [(one.name, one.datatype, one.shape) for one in schema.outputs] == [("scores", "FP32", (-1, 2))]
    assert ask(files, {"rows": [{"in put:0": [1, 0, 0]}, {"in put:0": [0, 1, 0]}]}) == {
        "rows": [{"scores": [0, 1]}, {"scores": [2, 3]}]
    }


def test_weights_in_a_file_of_their_own(tmp_path: Path) -> None:
    saving = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    files = linear(tmp_path / "linear.onnx", **saving)
    assert (files / "weights.bin").is_file()
    assert ask(files, {"in put:0": [1, 0, 0]}) == {"scores": [0, 1]}


def test_a_fixed_batch_of_one_means_one_row(tmp_path: Path) -> None:
    _, schema = load_onnx(linear(tmp_path / "one.onnx", 1, 1), 8)
    assert (schema.max_rows, schema.inputs[0].shape, schema.outputs[0].shape) == (1, (1, 3), (1, 2))


def test_any_name_of_the_batch_and_free_lengths(tmp_path: Path) -> None:
    files = write(
        tmp_path / "free.onnx",
        [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Identity", ["text"], ["same"])],
        [value("a", T.INT64, ["N", "length"]), value("b", T.INT64, [None, "length"]), value("text", T.STRING, ["N"])],
        [value("sum", T.INT64, ["out_0", "length"]), value("same", T.STRING, ["N"])],
    )
    _, schema = load_onnx(files, 8)
    assert [one.shape for one in schema.inputs] == [(-1, -1), (-1, -1), (-1,)]
    assert ask(files, {"a": [1, 2], "b": [3, 4], "text": "é"}) == {"sum": [4, 6], "same": "é"}


@pytest.mark.parametrize("classes", [{"classlabels_strings": ["a", "b"]}, {"classlabels_int64s": [0, 1]}])
def test_the_probabilities_of_a_converted_classifier_are_an_array(tmp_path: Path, classes: Any) -> None:
    strings = "classlabels_strings" in classes
    kind = T.STRING if strings else T.INT64
    labels = {"classlabels_strings" if strings else "classlabels_ints": next(iter(classes.values()))}
    maps = helper.make_map_type_proto(kind, helper.make_tensor_type_proto(T.FLOAT, []))
    files = write(
        tmp_path / "classifier.onnx",
        [
            helper.make_node(
                "LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", coefficients=[1.0, 2.0, 3.0, 4.0],
                intercepts=[0.0, 0.0], post_transform="SOFTMAX", **labels,
            ),
            helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", **classes),
        ],
        [value("x", T.FLOAT, [None, 2])],
        [value("label", kind, [None]), helper.make_value_info("probabilities", helper.make_sequence_type_proto(maps))],
    )  # fmt: skip
    answer = ask(files, {"rows": [{"x": [1, 1]}, {"x": [0, 0]}]})["rows"]
    assert answer[1]["probabilities"] == [0.5, 0.5]
    assert answer[0]["label"] == ("b" if strings else 1)
    assert answer[0]["probabilities"][1] > 0.9


def test_two_workers_tell_the_service_what_the_graph_takes(start: Any, tmp_path: Path) -> None:
    linear(tmp_path / "linear.onnx")
    service = start(None, MODELSHIP_ENTRY="onnx", MODELSHIP_FILES=str(tmp_path), MODELSHIP_WORKERS="2").ready()
    assert service.ask("GET", "/v1/model").json["inputs"][0]["name"] == "in put:0"
    assert service.predict({"in put:0": [0, 1, 0]}).json == {"scores": [2, 3]}


def scalar_input(path: Path) -> Path:
    return write(path, [helper.make_node("Relu", ["x"], ["y"])], [value("x", T.FLOAT, [])], [value("y", T.FLOAT, [])])


def scalar_output(path: Path) -> Path:
    nodes = [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)]
    return write(path, nodes, [value("x", T.FLOAT, ["n", 2])], [value("y", T.FLOAT, [])])


def brain_float(path: Path) -> Path:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return write(path, nodes, [value("x", T.BFLOAT16, ["n"])], [value("y", T.BFLOAT16, ["n"])])


def sequence(path: Path) -> Path:
    nodes = [helper.make_node("SplitToSequence", ["x"], ["y"])]
    output = helper.make_tensor_sequence_value_info("y", T.FLOAT, None)
    return write(path, nodes, [value("x", T.FLOAT, ["n", 2])], [output])


def broken(path: Path) -> Path:
    path.write_bytes(b"no graph")
    return path.parent


@pytest.mark.parametrize(
    ("make", "stage", "message"),
    [
        (lambda path: linear(path, 4, 4), "schema", "has 4 as its first dimension, which is the batch"),
        (scalar_input, "schema", "the input x has no dimension for the batch"),
        (scalar_output, "schema", "the output y has no dimension for the batch"),
        (sequence, "schema", "the output y"),
        (brain_float, "schema", "the input x is tensor(bfloat16), which is no tensor that can be sent"),
        (broken, "load", "model.onnx: "),
        (lambda path: path.parent, "load", "no .onnx file in"),
        (lambda path: path.parent / "missing", "load", "the model files are not there"),
    ],
)
def test_a_graph_that_cannot_be_served_says_why(tmp_path: Path, make: Any, stage: str, message: str) -> None:
    with pytest.raises(ModelFailed) as caught:
        load_onnx(make(tmp_path / "model.onnx"), 8)
    assert caught.value.stage == stage
    assert message in caught.value.reason


def test_several_graphs_are_named(tmp_path: Path) -> None:
    for name in ("b.onnx", "a.onnx", ".cache/c.onnx"):
        linear(tmp_path / name)
    with pytest.raises(ModelFailed, match=r"2 .onnx files in .* \(a.onnx, b.onnx\)"):
        load_onnx(tmp_path, 8)


def test_cuda_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSHIP_ACCELERATOR", "cuda")
    with pytest.raises(ModelFailed, match="built without CUDA"):
        load_onnx(linear(tmp_path / "linear.onnx"), 8)


def test_without_onnxruntime(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
sys.modules["onnxruntime"] = None
from modelship_service.model.onnx import load_onnx
from modelship_service.model.user_model import ModelFailed
try:
    load_onnx(Path(sys.argv[1]), 8)
except ModelFailed as failed:
    print(failed.reason)
"""
    files = linear(tmp_path / "linear.onnx")
    done = subprocess.run([sys.executable, "-c", program, files], capture_output=True, text=True, cwd=PACKAGE)
    assert "linear.onnx needs the package onnxruntime in the project's requirements" in done.stdout, done.stderr

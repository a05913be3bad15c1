"""Checks and runs FOLDER/*.onnx, and compares with what onnx_test.cpp's trainers predicted. usage: onnx_interop.py FOLDER

Beside NAME.onnx are NAME.x.npy and NAME.y.npy. Exit status 0 when every output y is within 1e-5 |y| + 1e-6 of the model's largest.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

worst = 0.0
operators = set()
paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
for path in paths:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    operators |= {node.op_type for node in model.graph.node}
    assert model.producer_name == "minitrain" and model.opset_import[0].version == 17 and model.ir_version == 8
    x, wanted = np.load(f"{path}.x.npy"), np.load(f"{path}.y.npy")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (into,), (out,) = session.get_inputs(), session.get_outputs()
    assert (into.name, into.shape) == ("input", ["batch", x.shape[1]]), (path, into)
    assert (out.name, out.shape) == ("output", ["batch", wanted.shape[1]]), (path, out)
    for rows in len(x), 1, 0:  # any number of rows
        y, = session.run(["output"], {"input": x[:rows]})
        assert y.dtype == wanted.dtype and y.shape == (rows, wanted.shape[1]), (path, y.shape)
        difference = np.abs(y - wanted[:rows]) / (np.abs(wanted[:rows]) + 0.1 * np.abs(wanted).max())
        assert difference.max(initial=0) < 1e-5, (path, difference.max())
        worst = max(worst, difference.max(initial=0))
assert operators == {"Gemm", "Relu", "LeakyRelu", "Tanh", "Sigmoid", "Erf", "Mul", "Add", "Softmax", "LayerNormalization",
                     "Identity"}, operators
print(f"{len(paths)} models, largest difference {worst:.1e}")

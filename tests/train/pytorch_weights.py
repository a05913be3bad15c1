"""Loads the weights that pytorch_weights_test.cpp saved, computes what its models predict, and gives other weights back.

usage: pytorch_weights.py FOLDER... Each has model.txt (a layer of torch.nn on a line), ours.safetensors, x.npy and y.npy, and
gets theirs.safetensors and theirs_y.npy. Where there is no PyTorch, its definitions in NumPy stand in for it.
"""
import math
import pathlib
import sys

import numpy as np

try:
    import torch
    from safetensors.torch import load_file, save_file
    from torch import nn
except ImportError:
    torch = None
    from safetensors.numpy import load_file, save_file

    class Layer:
        def parameters(self):
            return {}

    class Linear(Layer):
        def __init__(self, inputs, outputs, bias=True):
            self.shapes = {"weight": (outputs, inputs)} | ({"bias": (outputs,)} if bias else {})

        def parameters(self):
            return self.shapes

        def __call__(self, x, p):
            return x @ p["weight"].T + p.get("bias", 0)

    class LayerNorm(Layer):
        def __init__(self, columns, eps=1e-5):
            self.columns, self.eps = columns, eps

        def parameters(self):
            return {"weight": (self.columns,), "bias": (self.columns,)}

        def __call__(self, x, p):
            y = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + self.eps)
            return y * p["weight"] + p["bias"]

    def function(f):
        class Function(Layer):
            def __init__(self, *arguments, **named):
                self.arguments, self.named = arguments, named

            def __call__(self, x, _):
                return f(x, *self.arguments, **self.named)

        return Function

    class nn:
        Linear, LayerNorm = Linear, LayerNorm
        ReLU = function(lambda x: np.maximum(x, 0))
        LeakyReLU = function(lambda x, slope: np.where(x > 0, x, slope * x))
        Tanh = function(np.tanh)
        Sigmoid = function(lambda x: 1 / (1 + np.exp(-x)))
        SiLU = function(lambda x: x / (1 + np.exp(-x)))
        GELU = function(lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))
        Softmax = function(lambda x, dim: np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True))
        Dropout = function(lambda x, p: x)


def outputs(layers, state, x):
    """What a model with exactly this state computes."""
    if torch:
        model = nn.Sequential(*layers).eval()
        model.load_state_dict(state, strict=True)
        model.double()
        return model(torch.from_numpy(x).double()).detach().numpy()
    wanted = {f"{i}.{name}": shape for i, layer in enumerate(layers) for name, shape in layer.parameters().items()}
    assert {name: value.shape for name, value in state.items()} == wanted, (state.keys(), wanted)
    y = x.astype(np.float64)
    for i, layer in enumerate(layers):
        y = layer(y, {name: state[f"{i}.{name}"].astype(np.float64) for name in layer.parameters()})
    return y


worst = 0
for folder in map(pathlib.Path, sys.argv[1:]):
    layers = [eval(line, {"nn": nn}) for line in (folder / "model.txt").read_text().splitlines()]
    state, x, y = load_file(folder / "ours.safetensors"), np.load(folder / "x.npy"), np.load(folder / "y.npy")
    difference = np.abs(outputs(layers, state, x) - y).max() / np.abs(y).max()
    assert difference < 1e-5, (folder, difference)
    worst = max(worst, difference)
    generator = np.random.default_rng(1)
    for name, value in state.items():
        other = generator.normal(0.1, 0.3, tuple(value.shape)).astype(np.asarray(value).dtype)
        state[name] = torch.from_numpy(other) if torch else other
    save_file(state, folder / "theirs.safetensors")
    np.save(folder / "theirs_y.npy", outputs(layers, state, x).astype(y.dtype))
print(f"{'PyTorch ' + torch.__version__ if torch else 'NumPy for PyTorch'}: {len(sys.argv) - 1} models, largest difference {worst:.1e}")

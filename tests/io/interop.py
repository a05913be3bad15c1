"""Reads FOLDER/ours.safetensors with the reference implementation, and writes files with it for safetensors_test.cpp.

usage: interop.py FOLDER      exit status 0 when everything was read as it was written
"""
import pathlib
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

folder = pathlib.Path(sys.argv[1])
expected = {
    "mask": np.array([0, 1, 2, 254, 255], np.uint8),
    "0.weight": np.array([[0.0, 1.5, -2.0], [3.25, 1e-40, 5e30]], np.float32),
    '0.b\u00ef"as\n': np.array([0.1, -0.2, 1e300]),
    "empty": np.zeros((0, 4), np.float32),
    "step": np.array(-(2**62), np.int64),
}
ours = folder / "ours.safetensors"
tensors = load_file(ours)
assert tensors.keys() == expected.keys(), tensors.keys()
for name, wanted in expected.items():
    found = tensors[name]
    assert found.dtype == wanted.dtype and found.shape == wanted.shape, (name, found.dtype, found.shape)
    assert found.tobytes() == wanted.tobytes(), (name, found, wanted)
with safe_open(ours, framework="np") as file:
    metadata = file.metadata()
assert metadata["format"] == "pt" and metadata["note"] == '\u20ac\t"', metadata
header = int.from_bytes(ours.read_bytes()[:8], "little")
assert header % 8 == 0, header

save_file(expected, folder / "theirs.safetensors", metadata={"format": "pt", "note": '\u20ac\t"'})
save_file(dict(reversed(tensors.items())), folder / "resaved.safetensors", metadata=metadata)
changed = dict(tensors)
changed["0.weight"] = tensors["0.weight"] + 1
save_file(changed, folder / "changed.safetensors", metadata=metadata)

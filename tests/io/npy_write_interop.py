"""Reads with NumPy what npy_write_test.cpp wrote. usage: npy_write_interop.py LIST, of lines PATH TYPE EXTENT..."""
import sys

import numpy as np

count = 0
for line in open(sys.argv[1]):
    path, kind, *extents = line.split()
    found = np.load(path, allow_pickle=False)
    dtype = np.dtype(kind)
    info = {"f": np.finfo, "b": lambda _: np.iinfo("u1")}.get(dtype.kind, np.iinfo)(dtype)
    low, high = (False, True) if dtype.kind == "b" else (info.min, info.max)
    wanted = (np.arange(found.size) % 101).astype(dtype)
    wanted[:2] = [low, high][: min(found.size, 2)]
    if not extents:
        wanted = np.array(high, dtype)
    assert found.dtype == dtype and found.shape == tuple(map(int, extents)), (line, found.dtype, found.shape)
    assert found.tobytes() == wanted.tobytes() and found.flags.c_contiguous, (line, found)
    count += 1
assert count == 11 * 10, count

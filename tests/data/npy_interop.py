"""Checks FOLDER/ours_*.npy with NumPy, and writes arrays of every kind with it for npy_test.cpp.

usage: npy_interop.py FOLDER      exit status 0 when everything was read as it was written

FOLDER/arrays.txt then has lines NAME ROWS COLUMNS: NAME.npy, and NAME.f32, its numbers as floats, row after row.
FOLDER/refused.txt has lines NAME CODE: files that are not read, and why.
"""
import pathlib
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")  # numbers that do not fit a float
folder = pathlib.Path(sys.argv[1])

expected = {
    "f4": np.array([[0.1, -0.0, np.inf], [np.nan, 1e-45, 3e38]], np.float32),
    "f8": np.array([0.1, -1e300, np.nan]),
    "i4": np.arange(-12, 12, dtype=np.int32).reshape(2, 3, 1, 4),
    "u1": np.zeros((0, 7), np.uint8),
    "one": np.array([7], np.uint8),
}
for name, wanted in expected.items():
    path = folder / f"ours_{name}.npy"
    found = np.load(path, allow_pickle=False)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape, (name, found.dtype, found.shape)
    assert found.flags.c_contiguous and found.tobytes() == wanted.tobytes(), (name, found)
    mapped = np.load(path, mmap_mode="r") if found.size else found
    assert mapped.ctypes.data % 64 == 0 or not found.size, name

random = np.random.default_rng(0)
arrays, refused = [], []


def save(name, array, version=(1, 0), listing=None):
    with open(folder / f"{name}.npy", "wb") as file:
        np.lib.format.write_array(file, array, version=version)
    if listing is not None:
        refused.append((name, listing))
        return
    rows = array.reshape(len(array), -1) if array.size else array.reshape(len(array), int(np.prod(array.shape[1:])))
    rows.astype(np.float32).tofile(folder / f"{name}.f32")
    arrays.append((name, *rows.shape))


for code in "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split():
    for order in "<>":
        dtype = np.dtype(code).newbyteorder(order)
        for shape in (7,), (5, 4), (3, 2, 5), (2, 1, 3, 2), (0, 3), (1, 1):
            values = np.frombuffer(random.bytes(int(np.prod(shape)) * dtype.itemsize), np.uint8)
            array = (values & 1).astype(dtype).reshape(shape) if code == "b1" else values.view(dtype).reshape(shape)
            rank = len(shape)
            for version in (1, 0), (2, 0), (3, 0):
                stem = f"{code}_{'le' if order == '<' else 'be'}_{'x'.join(map(str, shape))}_v{version[0]}"
                save(stem, array, version)
                if rank == 2:
                    save(stem + "_fortran", np.asfortranarray(array), version)
for code in "i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split():
    kind = np.dtype(code).kind
    info = np.finfo(code) if kind == "f" else np.iinfo(code)
    extremes = [info.min, info.max, 0, 1]
    if kind == "f":
        extremes += [info.smallest_subnormal, -info.smallest_subnormal, info.tiny, info.eps, -0.0, np.inf, -np.inf, np.nan]
    save(f"extremes_{code}", np.array(extremes, code))

save("fortran3", np.asfortranarray(np.zeros((2, 3, 4))), listing="unsupported")
save("complex", np.zeros(3, complex), listing="unsupported")
save("objects", np.array([{}, 1], object), listing="unsupported")
save("text", np.array(["a", "\u00e4"]), listing="unsupported")
save("bytes", np.array([b"a"]), listing="unsupported")
save("dates", np.array(["2026-01-01"], "M8[D]"), listing="unsupported")
save("record", np.zeros(2, [("a", "f4"), ("b", "i4", (2,))]), listing="unsupported")
save("record3", np.zeros(2, [("\u00e4", "f4")]), (3, 0), listing="unsupported")
save("scalar", np.array(1.5), listing="bad_shape")
save("deep", np.zeros((1, 1, 1, 1, 1)), listing="bad_shape")
np.savez(folder / "zip.npy.npz", a=np.zeros(3))
(folder / "zip.npy.npz").rename(folder / "zip.npy")
np.savez_compressed(folder / "zip2.npy.npz", a=np.zeros(3))
(folder / "zip2.npy.npz").rename(folder / "zip2.npy")
refused += [("zip", "bad_magic"), ("zip2", "bad_magic")]

(folder / "arrays.txt").write_text("".join(f"{name} {rows} {columns}\n" for name, rows, columns in arrays))
(folder / "refused.txt").write_text("".join(f"{name} {code}\n" for name, code in refused))

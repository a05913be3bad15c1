"""Exchanges tensors with the library that dlpack_exchange.cpp makes. usage: dlpack_interop.py LIBRARY numpy|torch"""
import ctypes
import gc
import importlib
import sys

import numpy as np

library = ctypes.CDLL(sys.argv[1])
module = importlib.import_module(sys.argv[2])
is_torch = module.__name__ == "torch"
library.give.restype = library.share.restype = ctypes.c_void_p
library.take.restype = ctypes.c_double
library.take.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
api = ctypes.pythonapi
api.PyCapsule_New.restype, api.PyCapsule_New.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
api.PyCapsule_GetPointer.restype = ctypes.c_void_p
api.PyCapsule_GetPointer.argtypes = api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
NAMES = {False: b"dltensor", True: b"dltensor_versioned"}
USED = {False: b"used_dltensor", True: b"used_dltensor_versioned"}  # names of capsules live as long as they do
new = tuple(int(n) for n in np.__version__.split(".")[:2]) >= (2, 1) and not is_torch  # knows DLPack 1


class Exported:
    def __init__(self, pointer, versioned):
        self.capsule = api.PyCapsule_New(pointer, NAMES[versioned], None)

    def __dlpack__(self, **_):
        return self.capsule

    def __dlpack_device__(self):
        return 1, 0


def take(kind, array, versioned=False):
    """What the library makes of an array, and what it says."""
    capsule = array.__dlpack__(max_version=(1, 0)) if versioned else array.__dlpack__()
    pointer = api.PyCapsule_GetPointer(capsule, NAMES[versioned])
    said = ctypes.create_string_buffer(200)
    result = library.take(kind.encode(), pointer, versioned, said, 200)
    if not said.value:
        api.PyCapsule_SetName(capsule, USED[versioned])
    return result, said.value.decode()


versions = [False, True] if new else [False]
for kind in "f d i q B".split() + ["?"] * new:
    for versioned in versions:
        found = np.asarray(module.from_dlpack(Exported(library.give(kind.encode(), versioned), versioned)))
        wanted = np.arange(30).astype(kind).reshape(2, 3, 5)
        assert found.dtype == wanted.dtype and found.shape == wanted.shape, (kind, found.dtype, found.shape)
        assert (found == wanted).all() and found.flags.c_contiguous, (kind, found)
        if versioned:
            found[1, 2, 4] = 1  # it is ours
        del found
    if kind == "?":
        continue
    for shape in (7,), (3, 5), (2, 3, 4), (2, 1, 3, 1), (), (0, 4), (1, 33):
        array = (np.arange(int(np.prod(shape))) % 97).astype(kind).reshape(shape)
        total = (array.ravel().astype(float) * np.arange(1, array.size + 1)).sum() + 1000 * max(len(shape), 1)
        theirs = module.from_numpy(array) if is_torch else array
        before = sys.getrefcount(array)
        for versioned in versions:
            assert take(kind, theirs, versioned) == (total, ""), (kind, shape, take(kind, theirs, versioned), total)
        gc.collect()
        assert sys.getrefcount(array) == before, "the library keeps what it has taken"

if new:  # shared, read-only, until the last user is gone
    shared = np.from_dlpack(Exported(library.share(), True))
    assert library.held_owners() == 1 and not shared.flags.writeable and shared.sum() == 435
    part = shared[1]
    del shared
    assert library.held_owners() == 1 and part[2, 4] == 29
    del part
    gc.collect()
    assert library.held_owners() == 0

tensor = (lambda a: module.from_numpy(a)) if is_torch else (lambda a: a)
for kind, array, words in [("f", np.zeros((3, 4), "f").T, "contiguous first"), ("f", np.zeros(3), "convert it first"),
                           ("i", np.zeros(3, "f"), "convert it first"), ("f", np.zeros((1,) * 5, "f"), "5 axes"),
                           ("f", np.zeros((4, 4), "f")[:, :2], "contiguous first")]:
    result, said = take(kind, tensor(array))
    assert np.isnan(result) and words in said, (kind, array.shape, said)
# A part that begins in the middle, and rows one behind another after all.
assert take("f", tensor(np.arange(12, dtype="f").reshape(4, 3)[2:]))[0] == sum((i + 1) * (i + 6) for i in range(6)) + 2000
assert take("f", tensor(np.arange(3, dtype="f")[:, None][:, :1].T))[0] == 2 + 6 + 2000
print(f"{module.__name__} {module.__version__}, DLPack {'1 and ' if new else ''}0")

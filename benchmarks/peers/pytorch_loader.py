#!/usr/bin/env python3
"""Samples per second out of PyTorch's DataLoader, on the rows that benchmarks/loader_benchmark.cpp reads.

A file of floats in the system's cache, mapped by numpy, rows of 10 and of 768 numbers in a random order, batches of 256:
sample by sample (Dataset.__getitem__), with 0 and 2 workers, and batch by batch (a sampler of batches, one fancy index
each), which is the fastest form.

usage: pytorch_loader.py [--mib 1024] [--seconds 2]
"""
import argparse
import os
import tempfile
import time

import numpy
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

BATCH = 256


class Rows(Dataset):
    """One row, or a list of rows, of a mapped file."""

    def __init__(self, path, columns):
        self.rows = numpy.memmap(path, numpy.float32, "r")
        self.rows = self.rows[: len(self.rows) // columns * columns].reshape(-1, columns)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return torch.from_numpy(numpy.array(self.rows[index]))


def rate(loader, seconds):
    """Samples per second, the first batches left out."""
    iterator = iter(loader)
    for _ in range(10):
        next(iterator)
    samples, start = 0, time.perf_counter()
    for batch in iterator:
        samples += len(batch)
        elapsed = time.perf_counter() - start
        if elapsed > seconds:
            break
    return samples / elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.NamedTemporaryFile() as file:
        piece = (numpy.arange(1 << 18) % 1000 / 1000).astype(numpy.float32)
        for _ in range(options.mib):
            file.write(piece.tobytes())
        file.flush()
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        for columns in (10, 768):
            rows = Rows(file.name, columns)
            rows.rows.sum()  # into the cache, and into this process
            for workers in (0, 2):
                single = DataLoader(rows, BATCH, shuffle=True, num_workers=workers)
                whole = DataLoader(rows, batch_size=None, num_workers=workers,
                                   sampler=BatchSampler(RandomSampler(rows), BATCH, False))
                for name, loader in (("samples", single), ("batches", whole)):
                    print(f"pytorch {torch.__version__} columns {columns} workers {workers} {name}: "
                          f"{rate(loader, options.seconds) / 1e6:.3f} M samples/s", flush=True)


if __name__ == "__main__":
    main()

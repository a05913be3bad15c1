#!/usr/bin/env python3
"""PyTorch's time per optimizer step, one JSON line per workload, as minitrain_steps prints them.

usage: pytorch_steps.py NAME THREADS SECONDS WORKLOAD...      pytorch_steps.py pytorch 1 2 S1:10000:32 S4:128
       with THREADS = cuda: on the GPU, model and data in its memory
       with THREADS:compile: forward pass and loss by torch.compile
       with THREADS = cuda:graphs: the whole step captured once as a CUDA graph and replayed

The loop a user would write, eager: a permutation each epoch, rows picked by index, zero_grad, forward, loss, backward,
step. Workloads as in workloads.hpp; blocks and clean blocks as in step_timer.hpp.
"""
import json
import resource
import sys
import time

import torch

WARM_UP, BLOCK, FEWEST_BLOCKS = 0.4, 0.002, 5


def workload(text):
    """(name, samples, batch, widths, classes, optimizer)"""
    name, *numbers = text.split(":")
    numbers = [int(number) for number in numbers]
    samples, widths, classes, adam = {
        "S1": (numbers[0], [10, 64, 1], False, True),
        "S3": (100_000, [10, 1], False, False),
        "S4": (10_000, [784, 128, 10], True, True),
        "S5": (100_000, [100, 16, 2], True, True),
        "S6": (2_048, [1024, 4096, 4096, 1024], False, False),
    }[name]
    return name, max(samples, numbers[-1]), numbers[-1], widths, classes, adam


def captured(step, features, answers, batch):
    """step(x, y) as a CUDA graph on rows of its own, which each call fills and replays."""
    x, y = features[:batch].clone(), answers[:batch].clone()
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # memory and handles are made before the capture
        for _ in range(3):
            step(x, y)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(x, y)

    def replay(rows):
        torch.index_select(features, 0, rows, out=x)
        torch.index_select(answers, 0, rows, out=y)
        graph.replay()

    return replay


def training(device, mode, samples, batch, widths, classes, adam):
    """Trains for ever, one optimizer step per next()."""
    torch.manual_seed(0)
    torch.set_default_device(device)
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    features = torch.rand(samples, widths[0])
    answers = torch.randint(0, widths[-1], (samples,)) if classes else torch.rand(samples, widths[-1])
    criterion = torch.nn.CrossEntropyLoss() if classes else torch.nn.MSELoss()
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    if adam:
        optimizer = torch.optim.Adam(parameters, lr=1e-3, **({"capturable": True} if mode == "graphs" else {}))

    def loss_of(x, y):
        return criterion(model(x), y)

    if mode == "compile":
        loss_of = torch.compile(loss_of)

    def step(x, y):
        optimizer.zero_grad()
        loss_of(x, y).backward()
        optimizer.step()

    replay = captured(step, features, answers, batch) if mode == "graphs" else None
    while True:
        order = torch.randperm(samples)
        for begin in range(0, samples - batch + 1, batch):
            rows = order[begin : begin + batch]
            if replay is None:
                step(features[rows], answers[rows])
            else:
                replay(rows)
            yield


def switches():
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def quantile(values, q):
    values = sorted(values)
    position = q * (len(values) - 1)
    below = int(position)
    above = min(below + 1, len(values) - 1)
    return values[below] + (position - below) * (values[above] - values[below])


def measure(steps, seconds, wait):
    """Wall and processor seconds per step of every block, whether it was clean, steps per block."""
    quickest, begin = BLOCK, time.perf_counter()
    while time.perf_counter() - begin < WARM_UP:
        start = time.perf_counter()
        next(steps)
        wait()
        quickest = min(quickest, time.perf_counter() - start)
    per_block = max(1, int(BLOCK / quickest))
    wall, processor, clean = [], [], []
    begin = time.perf_counter()
    while len(wall) < FEWEST_BLOCKS or time.perf_counter() - begin < seconds:
        before, cpu, start = switches(), time.process_time(), time.perf_counter()
        for _ in range(per_block):
            next(steps)
        wait()
        wall.append((time.perf_counter() - start) / per_block)
        processor.append((time.process_time() - cpu) / per_block)
        clean.append(switches() == before)
    return wall, processor, clean, per_block


def main(arguments):
    if len(arguments) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    peer, seconds = arguments[0], float(arguments[2])
    threads, _, mode = arguments[1].partition(":")
    device = "cuda" if threads == "cuda" else "cpu"
    if mode not in ("", "compile", "graphs") or (mode == "graphs" and device == "cpu"):
        print(__doc__, file=sys.stderr)
        return 2
    threads = 1 if device == "cuda" else int(threads)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    torch.set_num_threads(threads)
    for text in arguments[3:]:
        name, samples, batch, *rest = workload(text)
        wall, processor, clean, per_block = measure(training(device, mode, samples, batch, *rest), seconds, wait)
        undisturbed = [w for w, ok in zip(wall, clean) if ok]
        if len(undisturbed) >= FEWEST_BLOCKS:
            step = quantile(undisturbed, 0.5)
        else:
            step = quantile(processor, 0.5) if threads == 1 else quantile(wall, 0.1)
        times = {"us": step, "p10": quantile(wall, 0.1), "med_all": quantile(wall, 0.5),
                 "cpu": quantile(processor, 0.5), "best": min(wall)}
        result = {"peer": peer, "wl": name, "N": samples, "B": batch, "th": threads}
        result |= {key: round(1e6 * value, 4) for key, value in times.items()}
        result |= {"nclean": len(undisturbed), "nall": len(wall), "spb": per_block, "version": torch.__version__}
        print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

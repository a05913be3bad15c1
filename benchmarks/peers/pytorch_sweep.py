#!/usr/bin/env python3
"""The sweep of examples/03_batch_size for its network 10-64-1 in PyTorch, as compare_sweep asks for it.

usage: pytorch_sweep.py FILE SAMPLES THREADS

Reads the data that minitrain_sweep has written, then "BATCH EPOCHS" lines, and answers each with a line of JSON. The loop
is the one a user would write, eager: a permutation each epoch, rows picked by index, zero_grad, forward, loss, backward,
step; the short last batch too. What the loss was is added up on the device and asked for once an epoch.
"""
import json
import sys
import time

import torch


def network():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(10, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


def train(features, targets, batch, epochs):
    """(seconds, steps, mean loss over the last epoch)"""
    model, optimizer = network()
    criterion = torch.nn.MSELoss()
    samples, steps = len(features), 0
    start = time.perf_counter()
    for _ in range(epochs):
        order, total = torch.randperm(samples), torch.zeros(())
        for begin in range(0, samples, batch):
            rows = order[begin : begin + batch]
            optimizer.zero_grad()
            loss = criterion(model(features[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
            steps += 1
        mean = total.item() / samples
    return time.perf_counter() - start, steps, mean


def main(arguments):
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    samples = int(arguments[1])
    torch.set_num_threads(int(arguments[2]))
    with open(arguments[0], "rb") as file:
        numbers = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
    features, targets = numbers[: 10 * samples].view(samples, 10).clone(), numbers[10 * samples :].view(samples, 1).clone()
    train(features[:1000], targets[:1000], 10, 2)  # what the first steps of a process cost is not counted
    print(json.dumps({"ready": True, "version": torch.__version__}), flush=True)
    for line in sys.stdin:
        batch, epochs = (int(word) for word in line.split())
        seconds, steps, loss = train(features, targets, batch, epochs)
        print(json.dumps({"batch": batch, "seconds": seconds, "steps": steps, "loss": loss}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Prints tests/optim/pytorch_adaptive_fixture.hpp: parameters after 100 steps of torch.optim.

usage: python3 tests/optim/pytorch_adaptive_fixture.py > tests/optim/pytorch_adaptive_fixture.hpp      needs PyTorch
"""
import torch

COUNT, STEPS = 33, 100


def start(i):
    return (5 * i % 33 - 16) / 8


def gradient(i, t):
    return ((7 * i + 13 * t) % 32 - 16) / 16 * 2.0 ** (i % 9 - 4)


def run(make, dtype):
    """The parameters are a matrix [5, 6] and a vector [3], one after the other."""
    matrix = torch.tensor([start(i) for i in range(30)], dtype=dtype).reshape(5, 6).requires_grad_()
    vector = torch.tensor([start(i) for i in range(30, COUNT)], dtype=dtype).requires_grad_()
    optimizer = make([matrix, vector])
    for t in range(1, STEPS + 1):
        matrix.grad = torch.tensor([gradient(i, t) for i in range(30)], dtype=dtype).reshape(5, 6)
        vector.grad = torch.tensor([gradient(i, t) for i in range(30, COUNT)], dtype=dtype)
        optimizer.step()
    return [*matrix.flatten().tolist(), *vector.tolist()]


RUNS = {
    "rmsprop": ("RMSprop{}", lambda p: torch.optim.RMSprop(p)),
    "rmsprop_decay": (
        "RMSprop{.learning_rate = 0.02, .alpha = 0.9, .epsilon = 1e-3, .weight_decay = 0.1}",
        lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-3, weight_decay=0.1)),
    "rmsprop_momentum": (
        "RMSprop{.momentum = 0.9, .weight_decay = 0.1}",
        lambda p: torch.optim.RMSprop(p, momentum=0.9, weight_decay=0.1)),
    "rmsprop_centered": (
        "RMSprop{.alpha = 0.9, .epsilon = 1e-3, .centered = true}",
        lambda p: torch.optim.RMSprop(p, alpha=0.9, eps=1e-3, centered=True)),
    "rmsprop_all": (
        "RMSprop{.alpha = 0.95, .epsilon = 1e-2, .momentum = 0.5, .centered = true, .weight_decay = 0.01}",
        lambda p: torch.optim.RMSprop(p, alpha=0.95, eps=1e-2, momentum=0.5, centered=True, weight_decay=0.01)),
    "adagrad": ("Adagrad{}", lambda p: torch.optim.Adagrad(p)),
    "adagrad_all": (
        "Adagrad{.learning_rate = 0.1, .lr_decay = 0.05, .initial_accumulator_value = 0.5, .epsilon = 1e-3, "
        ".weight_decay = 0.1}",
        lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.05, initial_accumulator_value=0.5, eps=1e-3,
                                      weight_decay=0.1)),
    "groups": (
        "groups(AdamW{.learning_rate = 0.02, .weight_decay = 0.5}, {{.vectors_only = true, .learning_rate_factor = 3, "
        ".weight_decay = 0}})",
        lambda p: torch.optim.AdamW([{"params": p[0]}, {"params": p[1], "lr": 0.06, "weight_decay": 0}], lr=0.02,
                                    weight_decay=0.5)),
    "adafactor": (
        "Adafactor{}", lambda p: torch.optim.Adafactor(p, eps=(1e-15, 1e-3))),
    "adafactor_all": (
        "Adafactor{.learning_rate = 0.5, .beta2_decay = -0.6, .epsilon2 = 0.5, .clip_threshold = 1.25, "
        ".weight_decay = 0.1}",
        lambda p: torch.optim.Adafactor(p, lr=0.5, beta2_decay=-0.6, eps=(1e-15, 0.5), d=1.25, weight_decay=0.1)),
}


def wrapped(numbers):
    lines, line = [], "   "
    for number in numbers:
        if len(line) + len(number) + 2 > 116:
            lines.append(line)
            line = "   "
        line += f" {number},"
    return "\n".join([*lines, line])[:-1].removeprefix("    ")


def main():
    print(f"""#pragma once
// Printed by tests/optim/pytorch_adaptive_fixture.py with PyTorch {torch.__version__.split("+")[0]}. Parameters after 100 steps of torch.optim, in
// float64 and float32, from the start and with the gradients of optim/pytorch_fixture.hpp; the first 30 are a matrix
// [5, 6], the others a vector.

#include "optim/pytorch_fixture.hpp"

namespace fixture {{

// clang-format off
""")
    for name, (what, make) in RUNS.items():
        in_double = [repr(x) for x in run(make, torch.float64)]
        in_float = [f"{x:.9g}" for x in run(make, torch.float32)]
        in_float = [x + ("f" if "." in x or "e" in x else ".0f") for x in in_float]
        print(f"// {what}\nconstexpr Parameters {name} = {{\n    {{{wrapped(in_double)}}},\n    {{{wrapped(in_float)}}}}};\n")
    print("// clang-format on\n\n}  // namespace fixture")


main()

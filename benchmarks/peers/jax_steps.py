#!/usr/bin/env python3
"""JAX's time per optimizer step, one JSON line per workload, as cuda_steps prints them.

usage: jax_steps.py NAME DEVICE SECONDS WORKLOAD...      jax_steps.py jax cuda 1 S1:10000:32 S4:128
       with DEVICE cuda or cpu

The fastest loop a user would write: an epoch is one jitted function, a permutation and a lax.scan over its batches, with
model, optimizer state and data on the device. A time is that of an epoch over its steps; the first, which compiles, does
not count. Adam and SGD are written out, since optax need not be there. Workloads as in workloads.hpp.
"""
import functools
import json
import os
import statistics
import sys
import time

WORKLOADS = {  # widths, classes, Adam, samples
    "S1": ([10, 64, 1], False, True, None),
    "S3": ([10, 1], False, False, 100_000),
    "S4": ([784, 128, 10], True, True, 10_000),
    "S5": ([100, 16, 2], True, True, 100_000),
    "S6": ([1024, 4096, 4096, 1024], False, False, 2_048),
}
FEWEST_EPOCHS = 3


def epoch_of(jax, jnp, batch, classes, adam):
    """A jitted function (state, key, features, answers) -> state."""

    def loss_of(parameters, x, answers):
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        y = x @ parameters[-1][0] + parameters[-1][1]
        if classes:
            return -jnp.take_along_axis(jax.nn.log_softmax(y), answers[:, None], axis=1).mean()
        return jnp.square(y - answers).mean()

    def step(features, answers, state, rows):
        parameters, m, v, count = state
        gradient = jax.grad(loss_of)(parameters, features[rows], answers[rows])
        count = count + 1
        if not adam:
            return (jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradient), m, v, count), None
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, gradient)
        v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, gradient)
        first, second = 1 - 0.9**count, 1 - 0.999**count
        parameters = jax.tree.map(lambda p, a, b: p - 1e-3 * (a / first) / (jnp.sqrt(b / second) + 1e-8), parameters, m, v)
        return (parameters, m, v, count), None

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(state, key, features, answers):
        steps = features.shape[0] // batch
        order = jax.random.permutation(key, features.shape[0])[: steps * batch].reshape(steps, batch)
        return jax.lax.scan(functools.partial(step, features, answers), state, order)[0]

    return epoch


def measure(jax, jnp, text, seconds):
    name, *numbers = text.split(":")
    widths, classes, adam, samples = WORKLOADS[name]
    batch = int(numbers[-1])
    samples = max(samples or int(numbers[0]), batch)
    keys = iter(jax.random.split(jax.random.key(0), 100_000))
    parameters = []
    for inputs, outputs in zip(widths, widths[1:]):
        bound = inputs**-0.5
        parameters.append((jax.random.uniform(next(keys), (inputs, outputs), minval=-bound, maxval=bound),
                           jax.random.uniform(next(keys), (outputs,), minval=-bound, maxval=bound)))
    features = jax.random.uniform(next(keys), (samples, widths[0]))
    if classes:
        answers = jax.random.randint(next(keys), (samples,), 0, widths[-1])
    else:
        answers = jax.random.uniform(next(keys), (samples, widths[-1]))
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state = (parameters, zeros[0], zeros[1], jnp.float32(0))
    epoch = epoch_of(jax, jnp, batch, classes, adam)
    state = jax.block_until_ready(epoch(state, next(keys), features, answers))
    times, begin = [], time.perf_counter()
    while len(times) < FEWEST_EPOCHS or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        state = jax.block_until_ready(epoch(state, next(keys), features, answers))
        times.append((time.perf_counter() - start) / (samples // batch))
    return {"wl": name, "N": samples, "B": batch, "us": round(1e6 * statistics.median(times), 4),
            "best": round(1e6 * min(times), 4), "epochs": len(times)}


def main(arguments):
    if len(arguments) < 4 or arguments[1] not in ("cuda", "cpu"):
        print(__doc__, file=sys.stderr)
        return 2
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ["JAX_PLATFORMS"] = arguments[1]
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_default_matmul_precision", "highest")  # float, not TF32
    for text in arguments[3:]:
        result = {"peer": arguments[0]} | measure(jax, jnp, text, float(arguments[2])) | {"version": jax.__version__}
        print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Reads what tensorboard_log_test.cpp wrote, with TensorBoard's own reader. usage: tensorboard_interop.py FOLDER"""
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

folder = pathlib.Path(sys.argv[1])
sizes = {"scalars": 0, "tensors": 0}


def run(name):
    accumulator = EventAccumulator(str(folder / name), size_guidance=sizes)
    accumulator.Reload()
    return accumulator


def points(accumulator, tag):
    return [(p.step, round(p.value, 6)) for p in accumulator.Scalars(tag)]


first = run("nested/first")
assert sorted(first.Tags()["scalars"]) == [
    "samples_per_second", "step/gradient_norm", "step/learning_rate", "step/loss", "training/accuracy",
    "training/batch_size", "training/learning_rate", "training/loss", "validation/loss"], first.Tags()
assert points(first, "step/loss") == [(s, round(1 / s, 6)) for s in range(5, 21, 5)]
assert points(first, "step/learning_rate") == [(s, 0.1) for s in range(5, 21, 5)]
assert points(first, "step/gradient_norm") == [(10, 3.0), (20, 3.0)]  # NaN elsewhere
assert points(first, "training/accuracy") == [(10, 0.75), (20, 0.75)]
assert points(first, "training/loss") == [(10, 0.3), (20, 0.3)]
assert points(first, "training/learning_rate") == [(10, 0.2), (20, 0.2)]
assert points(first, "samples_per_second") == [(10, 50), (20, 50)]
model, = first.Tensors("model")
assert model.step == 0 and b"MeanSquaredError, SGD, CPU\n\n    Dense{2, 1}\n" in model.tensor_proto.string_val[0], model
files = list((folder / "nested/first").iterdir())
assert len(files) == 1 and files[0].name.startswith("events.out.tfevents."), files
events = [Event.FromString(raw) for raw in RawEventFileLoader(str(files[0])).Load()]
assert events[0].file_version == "brain.Event:2"
assert all(0 <= b.wall_time - a.wall_time < 600 for a, b in zip(events, events[1:]))
assert events[0].wall_time > 1.7e9

# A run that was killed after step 17 and went on from step 13: every step once, with the second run's numbers.
again = run("again")
assert points(again, "step/loss") == [(s, round(1 / s + (s > 13), 6)) for s in range(1, 21)], points(again, "step/loss")
assert len(list((folder / "again").iterdir())) == 2

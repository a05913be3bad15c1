"""Reads the logs that metric_log_test.cpp and run_record_test.cpp wrote, strictly. usage: log_interop.py FILE KIND

KIND is jsonl, csv or run; exit status 0 when the file holds what it should.
"""
import csv
import json
import sys


def refuse(constant):
    raise ValueError(f"{constant} is not JSON")


path, kind = sys.argv[1:]
if kind == "run":
    with open(path, encoding="utf-8") as file:
        run = json.load(file, parse_constant=refuse)
    assert run["status"] == "early_stopped" and run["values"] == {"commit": "3f2a91c", "note": 'a "quote"\n\u00e4'}, run
    assert run["command_line"] == ["./program", "--seed", "7"] and run["options"]["seed"] == 2**64 - 1, run
    assert run["last_epoch"]["validation_accuracy"] == 0.5 and run["last_epoch"]["accuracy"] is None, run
    assert run["options"]["clip_norm"] == 0.5 and run["options"]["validation"] is True, run
    assert run["steps"] == 33 and run["epochs"] == 2 and run["parameters"] == 3, run
    sys.exit()
with open(path, encoding="utf-8", newline="") as file:
    if kind == "jsonl":
        rows = [json.loads(line, parse_constant=refuse) for line in file]
    else:
        rows = list(csv.DictReader(file, strict=True))
        assert None not in rows[0] and all(None not in row.values() for row in rows), rows
events = [row["event"] for row in rows]
assert events == ["begin", "step", "step", "epoch", "warning", "information", "end"], events
assert [int(row["step"]) for row in rows] == [0, 5, 10, 10, 10, 10, 10]
assert float(rows[1]["loss"]) == 0.2 and float(rows[3]["validation_loss"]) == 1e-9
assert rows[1]["gradient_norm"] == (None if kind == "jsonl" else "")
space = "\n" if kind == "jsonl" else " "  # a row of a table is one line
assert rows[4]["text"] == f'a "quoted",{space}\u00e4 text', rows[4]
assert rows[6]["text"] == "early_stopped"

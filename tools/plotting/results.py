"""Reads what an experiment wrote, and sums up runs that differ in their seed alone."""

import csv
import dataclasses
import json
import math
import statistics

NOT_REACHED = "not reached"


class Bad(Exception):
    """What is wrong with the input, in one sentence."""


@dataclasses.dataclass
class Row:
    key: dict  # column: text
    metric: str
    value: float  # NaN: not reached


@dataclasses.dataclass
class Middle:
    """Runs summed up: the median with the smallest and largest, or the mean with its standard error."""

    low: float
    middle: float  # NaN: none got there
    high: float
    reached: int
    runs: int


@dataclasses.dataclass
class Series:
    label: str
    points: list  # (x, Middle), x rising


def number(text, where):
    if text == NOT_REACHED:
        return math.nan
    try:
        return float(text)
    except (TypeError, ValueError):
        raise Bad(f"{where}: {text!r} is not a number") from None


def read_lines(path):
    """The header and [(line number, fields)]."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            header = next(lines, None)
            rows = [(lines.line_num, fields) for fields in lines if fields]
    except OSError as error:
        raise Bad(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise Bad(f"{path}: this is not a CSV file of UTF-8 text: {error}") from error
    if not header or not rows:
        raise Bad(f"{path}: it is empty: wanted a header and rows below it")
    for line, fields in rows:
        if len(fields) != len(header):
            raise Bad(f"{path}, line {line}: it has {len(fields)} fields, and the header has {len(header)}")
    return header, rows


class Results:
    """A CSV file in long form, with the columns metric and value. In any other, each column can be a metric."""

    def __init__(self, path):
        self.path = path
        header, lines = read_lines(path)
        self.long = "metric" in header and "value" in header
        self.columns = [name for name in header if not self.long or name not in ("metric", "value")]
        self.rows = []
        self.lines = []  # where it is not long: (line number, {column: text})
        for line, fields in lines:
            key = dict(zip(header, fields))
            if self.long:
                value = number(key.pop("value"), f"{path}, line {line}, column value")
                self.rows.append(Row(key, key.pop("metric"), value))
            else:
                self.lines.append((line, key))
        self.metrics = list(dict.fromkeys(row.metric for row in self.rows)) if self.long else self.columns

    def of(self, metric):
        """The rows of a metric."""
        if metric not in self.metrics:
            raise Bad(f"{self.path}: there is no {'metric' if self.long else 'column'} {metric}: "
                      f"it has {', '.join(self.metrics)}")
        if self.long:
            return [row for row in self.rows if row.metric == metric]
        return [Row({name: text for name, text in key.items() if name != metric}, metric,
                    number(key[metric], f"{self.path}, line {line}, column {metric}")) for line, key in self.lines]

    def need_long(self):
        if not self.long:
            raise Bad(f"{self.path}: there are no columns metric and value: these are no experiment's results")

    def need(self, column):
        if column not in self.columns:
            raise Bad(f"{self.path}: there is no column {column}: it has {', '.join(self.columns)}")


def sum_up(values, spread):
    there = sorted(value for value in values if not math.isnan(value))
    if not there:
        return Middle(math.nan, math.nan, math.nan, 0, len(values))
    if spread == "stderr":
        middle = statistics.fmean(there)
        error = statistics.stdev(there) / math.sqrt(len(there)) if len(there) > 1 and math.isfinite(middle) else 0.0
        low, high = middle - error, middle + error
    else:
        middle = statistics.median(there)
        low, high = (there[0], there[-1]) if spread == "range" else (middle, middle)
    return Middle(low, middle, high, len(there), len(values))


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def label_of(key, columns):
    """What tells a line from the others: "mlp, momentum 0.9"."""
    return ", ".join(f"{name.replace('_', ' ')} {key[name]}" if is_number(key[name]) else key[name] for name in columns)


def series_of(results, plot):
    """The lines of a plot, in the order in which they are in the file."""
    for column in [plot["x"], *plot["series"], *(name for name, _ in plot["where"])]:
        results.need(column)
    lines = {}
    for row in results.of(plot["y"]):
        if any(row.key.get(name) != value for name, value in plot["where"]):
            continue
        x = number(row.key.get(plot["x"]), f"{results.path}: column {plot['x']}")
        points = lines.setdefault(label_of(row.key, plot["series"]), {})
        points.setdefault(x, []).append(row.value)
    if not lines:
        where = ", ".join(f"{name} = {value}" for name, value in plot["where"])
        raise Bad(f"{results.path}: no row of {plot['y']} has {where or 'a value'}")
    return [Series(label, [(x, sum_up(points[x], plot["spread"])) for x in sorted(points)])
            for label, points in lines.items()]


def read_summary(path):
    """summary.json as a dictionary that has all that is used of it."""
    try:
        with open(path, encoding="utf-8") as file:
            summary = json.load(file)
    except OSError as error:
        raise Bad(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Bad(f"{path}: this is not JSON: {error}") from error
    members = {"name": str, "question": str, "command_line": list, "date": str, "machine": dict, "settings": list,
               "fits": list, "verdicts": list, "readings": list, "plots": list}
    for name, kind in members.items():
        if not isinstance(summary, dict) or not isinstance(summary.get(name), kind):
            raise Bad(f"{path}: the member {name} is missing or not a {kind.__name__}: this is no experiment's summary")
    for plot in summary["plots"]:
        check_plot(plot, path)
    return summary


def check_plot(plot, path):
    kinds = {"file": str, "title": str, "x": str, "x_label": str, "x_log": bool, "y": str, "y_label": str, "y_log": bool,
             "series": list, "where": list, "spread": str, "lines": bool, "theory": list}
    for name, kind in kinds.items():
        if not isinstance(plot, dict) or not isinstance(plot.get(name), kind):
            raise Bad(f"{path}: a plot lacks the member {name}, or it is not a {kind.__name__}")
    if "/" in plot["file"] or not plot["file"]:
        raise Bad(f"{path}: {plot['file']!r} is no name for a picture")

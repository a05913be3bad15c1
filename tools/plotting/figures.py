"""Pictures of plots: PNG and SVG by matplotlib, else by gnuplot, else text."""

import math
import re
import shutil
import subprocess
import textwrap

from .results import Bad

matplotlib = pyplot = ticker = None  # until load()


def load():
    """Whether there is matplotlib. It takes a second to come, so it is not asked for before something is to be drawn."""
    global matplotlib, pyplot, ticker
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot, ticker
    except ImportError:
        pyplot = None
    return pyplot is not None


# Colours that people who see red and green alike can tell apart (Okabe and Ito 2008), yellow left out. In the report
# they are variables, so that it can be dark: see report.py.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f", "#8c564b"]
INK, GRID, PAPER = "#1b1b1b", "#d8d8d8", "#ffffff"
MARKERS = "osD^vP*X"


def si(value, _=None):
    """10,000,000 as 10M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size and (size > 1e3 or abs(value) >= 1e4):
            return f"{value / size:g}{letter}"
    return f"{value:.6g}"


def is_power_of_two(value):
    return value > 0 and math.frexp(value)[0] == 0.5


def finite(values):
    return [value for value in values if math.isfinite(value)]


def numbers(values):
    """As JSON has them, with null for what is not finite."""
    return [math.nan if value is None else value for value in values]


def ticks(axis, log, values):
    """Ticks that people read: powers of two where all values are, else those of ten."""
    values = sorted(set(finite(values)))
    if not log:
        axis.set_major_formatter(si)
    elif values and all(is_power_of_two(value) for value in values):
        exponents = [int(math.log2(value)) for value in (values[0], values[-1])]
        step = max(1, math.ceil((exponents[1] - exponents[0] + 1) / 8))
        shown = [2.0**e for e in range(exponents[0], exponents[1] + 1, step)]
        axis.set_major_locator(ticker.FixedLocator(shown))
        plain = values[0] >= 1 / 16  # else the digits would be many
        axis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:.6g}" if plain else f"$2^{{{math.log2(v):.0f}}}$"))
        axis.set_minor_locator(ticker.NullLocator())
    elif values and values[0] > 0 and values[-1] / values[0] < 100:
        # Two powers of ten at the most: 1, 2 and 5 of each.
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ticker.FuncFormatter(si))
        axis.set_minor_formatter(ticker.NullFormatter())
    else:
        axis.set_minor_formatter(ticker.NullFormatter())


def limits(series, theory, log):
    """All points and bars, and as much of the theory as is near them: it may have a pole."""
    data = [v for s in series for _, m in s.points for v in (m.low, m.middle, m.high) if math.isfinite(v)]
    data = [v for v in data if v > 0] if log else data
    if not data:
        return None
    low, high = min(data), max(data)
    reach = (low / 3, high * 3) if log else (low - 0.5 * (high - low), high + 0.5 * (high - low))
    near = [y for curve in theory for y in numbers(curve["y"]) if reach[0] <= y <= reach[1]]
    low, high = min([low, *near]), max([high, *near])
    if log:
        margin = max(high / low, 1.2) ** 0.06
        return low / margin, high * margin
    margin = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    zero = low >= 0 and low < 0.5 * high
    return 0 if zero else low - margin, high + margin


def colour_of(index, series):
    """Shades where the lines are many, and so mostly in an order."""
    if len(series) <= len(COLOURS):
        return COLOURS[index]
    shade = pyplot.get_cmap("plasma")(0.08 + 0.77 * index / (len(series) - 1))
    return matplotlib.colors.to_hex(shade)


def draw_series(ax, series, plot):
    """Draws the lines; says whether some point is of runs that did not all get there."""
    some = False
    bottom_or_top = []
    for i, one in enumerate(series):
        colour, marker = colour_of(i, series), MARKERS[i % len(MARKERS)]
        there = [(x, m) for x, m in one.points if math.isfinite(m.middle) and (m.middle > 0 or not plot["y_log"])]
        xs, ys = [x for x, _ in there], [m.middle for _, m in there]
        bars = [[max(0.0, m.middle - m.low) for _, m in there], [max(0.0, m.high - m.middle) for _, m in there]]
        ax.errorbar(xs, ys, bars if plot["spread"] != "none" else None, color=colour, capsize=2.5, linewidth=1.5,
                    elinewidth=1, linestyle="-" if plot["lines"] else "", marker=marker, markersize=4.5,
                    label=one.label or None, zorder=3)
        hollow = [(x, m.middle) for x, m in there if m.reached < m.runs]
        if hollow:
            some = True
            ax.plot(*zip(*hollow), linestyle="", marker=marker, markersize=4.5, color=colour, markerfacecolor=PAPER,
                    zorder=4)
        bottom_or_top += [(x, colour) for x, m in one.points if not m.reached]
    for x, colour in bottom_or_top:
        ax.plot([x], [0.975], marker="x", color=colour, transform=ax.get_xaxis_transform(), zorder=4)
    return some, bool(bottom_or_top)


def owner(label, series):
    """(number of the line that a curve's label begins or ends with, what else is in it), or (None, label)."""
    found = [(len(one.label), i) for i, one in enumerate(series)
             if one.label and (label.startswith(one.label) or label.endswith(one.label))]
    if not found:
        return None, label
    length, i = max(found)
    rest = label[length:] if label.startswith(series[i].label) else label[:-length]
    return i, rest.strip(" ,:") or "theory"


def draw_theory(ax, series, theory):
    """Dashed. A curve whose label begins or ends with that of a line has its colour; the rest of the label is in the legend
    once for all of them. Returns those rests."""
    rests = []
    for curve in theory:
        i, rest = owner(curve["label"], series)
        colour = INK if i is None else colour_of(i, series)
        if i is not None:
            rests.append(rest)
        ax.plot(numbers(curve["x"]), numbers(curve["y"]), "--", color=colour, linewidth=1.3,
                label=rest if i is None else None, zorder=2)
    return list(dict.fromkeys(rests))


def legend(ax, rests, hollow, none):
    """Above the axes, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    line = matplotlib.lines.Line2D
    for rest in rests:
        handles.append(line([], [], color=INK, linestyle="--", linewidth=1.3))
        labels.append(rest)
    if hollow:
        handles.append(line([], [], color=INK, linestyle="", marker="o", markersize=4.5, markerfacecolor=PAPER))
        labels.append("not reached by every run")
    if none:
        handles.append(line([], [], color=INK, linestyle="", marker="x"))
        labels.append("not reached")
    if labels:
        longest = max(len(label) for label in labels)
        columns = 1 if longest > 26 else 2 if longest > 12 else 3
        ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncol=columns, frameon=False,
                  fontsize=9, handlelength=1.8, columnspacing=1.2, borderaxespad=0.2, labelspacing=0.35)
    return len(labels)


def style():
    return {"font.size": 10, "svg.fonttype": "path", "svg.hashsalt": "minitrain", "text.color": INK,
            "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
            "axes.spines.top": False, "axes.spines.right": False, "grid.color": GRID, "grid.linewidth": 0.7,
            "axes.formatter.useoffset": False, "axes.unicode_minus": True, "font.family": "DejaVu Sans"}


def draw_matplotlib(plot, series, stem):
    with pyplot.rc_context(style()):
        figure, ax = pyplot.subplots(figsize=(4.7, 3.7), layout="constrained")
        hollow, none = draw_series(ax, series, plot)
        rests = draw_theory(ax, series, plot["theory"])
        xs = [x for one in series for x, _ in one.points]
        if plot["x_log"]:
            ax.set_xscale("log", base=2 if all(is_power_of_two(x) for x in xs) else 10)
        if plot["y_log"]:
            ax.set_yscale("log")
        ends = limits(series, plot["theory"], plot["y_log"])
        if ends:
            ax.set_ylim(ends)
        ys = [m.middle for one in series for _, m in one.points]
        ticks(ax.xaxis, plot["x_log"], xs)
        ticks(ax.yaxis, plot["y_log"], list(ends or ys))
        ax.set_xlabel(plot["x_label"])
        ax.set_ylabel(plot["y_label"])
        ax.grid(True)
        ax.set_axisbelow(True)
        rows = legend(ax, rests, hollow, none)
        figure.set_figheight(3.7 + 0.1 * rows)
        figure.suptitle("\n".join(textwrap.wrap(plot["title"], 44, break_on_hyphens=False)), x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.savefig(f"{stem}.png", dpi=160, facecolor=PAPER)
        figure.savefig(f"{stem}.svg", facecolor=PAPER, metadata={"Date": None})
        pyplot.close(figure)
    return [f"{stem}.png", f"{stem}.svg"]


def quoted(text):
    return '"' + re.sub(r'[\\"`\n]', " ", text) + '"'


def not_reached(series, x_log, ends, y_log):
    """Where the marks are of points that no run got to: near the top, as matplotlib has them. [(line, x, y)]"""
    low, high = ends
    top = low * (high / low) ** 0.975 if y_log else low + 0.975 * (high - low)
    return [(i, x, top) for i, one in enumerate(series) for x, m in one.points if not m.reached and (x > 0 or not x_log)]


def draw_gnuplot(plot, series, stem):
    ends = limits(series, plot["theory"], plot["y_log"]) or (0.1, 1)
    script = [f"set title {quoted(plot['title'])} noenhanced", f"set xlabel {quoted(plot['x_label'])} noenhanced",
              f"set ylabel {quoted(plot['y_label'])} noenhanced", "set grid", "set key above noenhanced"]
    script += ["set logscale x"] * plot["x_log"] + ["set logscale y"] * plot["y_log"]
    script.append(f"set yrange [{ends[0]}:{ends[1]}]")
    parts = []
    for i, one in enumerate(series):
        points = [f"{x} {m.middle} {m.low} {m.high}" for x, m in one.points if math.isfinite(m.middle)]
        if points:
            script += [f"$data{i} << EOD", *points, "EOD"]
            how = "yerrorlines" if plot["lines"] else "yerrorbars"
            parts.append(f"$data{i} using 1:2:3:4 with {how} linecolor {i + 1} pointtype 7 title {quoted(one.label)}")
    for i, curve in enumerate(plot["theory"]):
        points = [f"{x} {y}" for x, y in zip(numbers(curve["x"]), numbers(curve["y"])) if math.isfinite(y)]
        if points:
            script += [f"$theory{i} << EOD", *points, "EOD"]
            parts.append(f"$theory{i} with lines dashtype 2 title {quoted(curve['label'])}")
    crosses = not_reached(series, plot["x_log"], ends, plot["y_log"])
    if crosses:
        script += ["$crosses << EOD", *(f"{x} {y} {i + 1}" for i, x, y in crosses), "EOD"]
        parts += ["$crosses using 1:2:3 with points pointtype 2 linecolor variable notitle",
                  'NaN with points pointtype 2 linecolor black title "not reached"']
    for ending, terminal in (("png", "pngcairo size 800,600"), ("svg", "svg size 540,400")):
        lines = [f"set terminal {terminal}", *script, "plot " + ", ".join(parts or ["NaN"]), ""]
        done = subprocess.run(["gnuplot"], input="\n".join(lines).encode(), capture_output=True)
        if done.returncode:
            raise Bad(f"{stem}.{ending}: gnuplot cannot draw it: {' '.join(done.stderr.decode().split())}")
        with open(f"{stem}.{ending}", "wb") as file:
            file.write(done.stdout)
    return [f"{stem}.png", f"{stem}.svg"]


def as_text(plot, series):
    width, text = 46, [plot["title"], "", f"{plot['y_label']} against {plot['x_label']}"]
    top = max(finite(m.middle for one in series for _, m in one.points), default=1) or 1
    for one in series:
        text += ["", one.label] if one.label else [""]
        for x, m in one.points:
            bar = "#" * max(1, round(width * m.middle / top)) if math.isfinite(m.middle) else ""
            text.append(f"{x:>10g} | {bar:<{width}} {m.middle:.4g}" if m.reached else f"{x:>10g} | not reached")
    return "\n".join(text) + "\n"


def draw(plot, series, stem):
    """Draws STEM.png and STEM.svg, or writes STEM.txt where nothing can draw. Returns the files."""
    if pyplot or load():
        return draw_matplotlib(plot, series, stem)
    if shutil.which("gnuplot"):
        return draw_gnuplot(plot, series, stem)
    with open(f"{stem}.txt", "w", encoding="utf-8") as file:
        file.write(as_text(plot, series))
    return [f"{stem}.txt"]

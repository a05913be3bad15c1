"""report.html of an experiment, one file with all that it shows, and index.html of many."""

import html
import math
import os
import re
import shlex

from . import figures
from .results import is_number, label_of, sum_up

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #5c5c5c; --paper: #ffffff; --box: #f4f4f2; --grid: #d8d8d8;
  --good: #00724f; --bad: #b3261e; --link: #0b57a4;
  --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b8568f; --s4: #3d9ad1; --s5: #c98600; --s6: #7f7f7f; --s7: #8c564b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --soft: #a6a39d; --paper: #16181a; --box: #202326;
  --grid: #3a3e42; --good: #4fd1a0; --bad: #ff8a80; --link: #8ab8ff;
  --s0: #5db8f0; --s1: #ff9248; --s2: #36d1a2; --s3: #eda3cd; --s4: #9ad7ff; --s5: #ffc04d; --s6: #b0b0b0; --s7: #c8958a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem 1rem 3rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: .2rem 0 .6rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
a { color: var(--link); }
.soft { color: var(--soft); font-size: .9rem; }
figure { margin: 1.6rem 0; }
figure svg { display: block; width: 100%; height: auto; }
figure svg.plain { background: #fff; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--grid); }
thead th { white-space: nowrap; }
th[colspan] { padding-top: .9rem; }
td.number, th.number { text-align: right; white-space: nowrap; }
b.bad { color: var(--bad); }
ul.verdicts { list-style: none; padding: 0; }
ul.verdicts li { padding: .45rem .8rem; margin: .4rem 0; background: var(--box); border-left: 4px solid var(--good); }
ul.verdicts li.fails { border-color: var(--bad); }
ul.verdicts li.not { border-color: var(--soft); }
ul.verdicts b { color: var(--good); }
ul.verdicts li.fails b { color: var(--bad); }
ul.verdicts li.not b { color: var(--soft); }
pre { background: var(--box); padding: .7rem .9rem; overflow-x: auto; font-size: .85rem; }
summary { cursor: pointer; margin: .6rem 0; }
"""


def text(value):
    return html.escape(str(value))


def shown(value):
    """Four digits: 12,340 or 0.001234; words where there is no number."""
    if value is None or math.isnan(value):
        return "not reached"
    if math.isinf(value):
        return "no limit" if value > 0 else "-no limit"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    if 1e3 <= abs(value) < 1e9:
        return f"{float(f'{value:.4g}'):,.0f}"
    digits = f"{value:.4g}"
    if "e" in digits:
        mantissa, exponent = digits.split("e")
        return f"{mantissa}·10<sup>{int(exponent)}</sup>".replace("-", "−")
    return digits


def document(title, body):
    return (f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{text(title)}</title>\n'
            f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n")


def inline(path, name, title):
    """The SVG without its head, its ids told from those of others, its colours those of the page."""
    with open(path, encoding="utf-8") as file:
        svg = file.read()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg).replace("url(#", f"url(#{name}-")
    head, rest = svg.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    head += f' role="img" aria-label="{text(title)}"'
    if figures.pyplot:
        for i, colour in enumerate(figures.COLOURS):
            rest = rest.replace(colour, f"var(--s{i})")
        for colour, variable in ((figures.INK, "ink"), (figures.GRID, "grid"), (figures.PAPER, "paper")):
            rest = rest.replace(colour, f"var(--{variable})")
    else:
        head += ' class="plain"'
    return head + ">" + rest


def picture(plot, files):
    drawn = {os.path.splitext(file)[1]: file for file in files}
    if ".svg" in drawn:
        return f"<figure>{inline(drawn['.svg'], plot['file'], plot['title'])}</figure>"
    with open(drawn[".txt"], encoding="utf-8") as file:
        return f"<pre>{text(file.read())}</pre>"


def rows_table(head, rows):
    """Cells are HTML; those of columns of numbers to the right."""
    right = [all(re.match(r"[−-]?[\d.]", row[i]) or row[i] in ("", "not reached") for row in rows) for i in range(len(head))]
    kind = [' class="number"' if is_right else "" for is_right in right]
    lines = ["<tr>" + "".join(f"<th{k}>{cell}</th>" for k, cell in zip(kind, head)) + "</tr>"]
    body = ["<tr>" + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kind, row)) + "</tr>" for row in rows]
    return f'<div class="scroll"><table><thead>{lines[0]}</thead><tbody>\n' + "\n".join(body) + "</tbody></table></div>"


def spread_text(m):
    """ "12.3 (11 to 14)" of several runs, with how many of them got there."""
    if not m.reached:
        return "not reached"
    value = shown(m.middle)
    if m.low != m.high:
        value += f' <span class="soft">({shown(m.low)} to {shown(m.high)})</span>'
    return value + (f' <span class="soft">{m.reached} of {m.runs} runs</span>' if m.reached < m.runs else "")


def result_tables(results, plots):
    """A table for each set of key columns: runs that differ in what no plot shows, their seed mostly, are one row."""
    named = {column for plot in plots for column in [plot["x"], *plot["series"], *(name for name, _ in plot["where"])]}
    runs = {"seed", "run", "round", "repeat", "trial"} - named
    tables = {}  # key columns: {key: {metric: values}}
    for row in results.rows:
        columns = tuple(name for name in results.columns if row.key[name] and name not in runs)
        key = tuple(row.key[name] for name in columns)
        tables.setdefault(columns, {}).setdefault(key, {}).setdefault(row.metric, []).append(row.value)
    parts = []
    for columns, lines in tables.items():
        metrics = list(dict.fromkeys(metric for values in lines.values() for metric in values))
        head = [text(name.replace("_", " ")) for name in (*columns, *metrics)]
        rows = []
        for key, values in lines.items():
            cells = [shown(float(part)) if is_number(part) else text(part) for part in key]
            rows.append(cells + [spread_text(sum_up(values[m], "range")) if m in values else "" for m in metrics])
        table = rows_table(head, rows)
        many = len(rows) > 24
        parts.append(f"<details><summary>{len(rows)} rows</summary>{table}</details>" if many else table)
    return "\n".join(parts)


def verdict_list(verdicts):
    items = []
    for verdict in verdicts:
        kind, word = ("holds", "holds") if verdict["holds"] else ("fails", "fails") if verdict["decides"] else ("not", "not seen")
        items.append(f'<li class="{kind}"><b>{word}</b>: expected {text(verdict["expected"])}; '
                     f'found {text(verdict["found"])}</li>')
    return f'<ul class="verdicts">{"".join(items)}</ul>'


def fit_table(fits):
    """A heading for each fit, its parameters below."""
    lines, what = [], None
    for fit in fits:
        if fit["what"] != what:
            what = fit["what"]
            lines.append(f'<tr><th colspan="3">{text(what)}</th></tr>')
        value = "not found" if fit["value"] is None else f"{shown(fit['value'])} {text(fit['unit'])}"
        interval = ""
        if fit["low"] is not None and fit["high"] is not None:
            interval = f'<span class="soft">{shown(fit["low"])} to {shown(fit["high"])}</span>'
        lines.append(f"<tr><td>{text(fit['parameter'])}</td><td>{value}</td><td>{interval}</td></tr>")
    return '<div class="scroll"><table>\n' + "\n".join(lines) + "</table></div>"


def report(summary, results, pictures):
    """All of report.html; `pictures` are [(plot, files)]."""
    machine = summary["machine"]
    held = sum(verdict["holds"] for verdict in summary["verdicts"])
    command = shlex.join(summary["command_line"])
    body = [f'<div class="soft">{text(summary["name"])}</div>', f"<h1>{text(summary['question'])}</h1>",
            f'<div class="soft">{text(summary["date"])} · {text(machine.get("processor", "unknown"))}, '
            f'{text(machine.get("cores", "?"))} cores · {text(machine.get("compiler", "unknown"))} · '
            f'minitrain {text(machine.get("minitrain", "?"))}</div>']
    if summary["readings"]:
        body += ["<h2>What was found</h2>", *(f"<p>{text(paragraph)}</p>" for paragraph in summary["readings"])]
    if summary["verdicts"]:
        body += [f"<h2>Expected and found: {held} of {len(summary['verdicts'])} hold</h2>",
                 verdict_list(summary["verdicts"])]
    if pictures:
        body += ["<h2>Plots</h2>", *(picture(plot, files) for plot, files in pictures)]
        if figures.pyplot:
            body.append('<p class="soft">Points are medians with bars from the smallest to the largest run, or means with '
                        "their standard error; dashed lines are fits or theory.</p>")
    if summary["fits"]:
        body += ["<h2>Fits</h2>", fit_table(summary["fits"])]
    body += ["<h2>Measured</h2>", result_tables(results, summary["plots"])]
    settings = [[text(name), text(value)] for name, value in summary["settings"]]
    body += ["<h2>Set-up</h2>", rows_table(["setting", "value"], settings), "<h2>Do it again</h2>",
             f"<pre>{text(command)}</pre>",
             '<p class="soft">The program is built from the file of that name in examples/; with <code>--out DIR</code> it '
             "writes results.csv and summary.json, of which <code>tools/plot DIR</code> makes this page.</p>"]
    return document(f"{summary['name']}: {summary['question']}", "\n".join(body))


def held_of(verdicts):
    """"4 of 5", with the failures marked: of those that decide nothing one may be not seen, and all is well."""
    words = [f"{sum(verdict['holds'] for verdict in verdicts)} of {len(verdicts)}"]
    missing = [verdict["decides"] for verdict in verdicts if not verdict["holds"]]
    if any(missing):
        words.append(f'<b class="bad">{sum(missing)} failed</b>')
    if not all(missing):
        words.append(f'<span class="soft">{missing.count(False)} not seen</span>')
    return "<br>".join(words)


def index(entries):
    """A page that links reports: [(link, summary)]."""
    rows = []
    for link, summary in entries:
        rows.append([f'<a href="{text(link)}">{text(summary["question"])}</a><br><span class="soft">{text(summary["name"])}'
                     "</span>", held_of(summary["verdicts"]), shown(summary.get("seconds") or 0.0)])
    body = "<h1>Experiments</h1>\n" + rows_table(["question", "expectations that hold", "seconds"], rows)
    return document("Experiments", body)

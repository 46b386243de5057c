"""Markdown of what was measured: the medians of the rounds, and the ratios that modelship aims at."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from environments import environment, versions
from peers import FASTAPI, FLOOR, MODELSHIP, OTHERS, PACKAGES, Way

if TYPE_CHECKING:
    from run import Figures

    Measured = Sequence[tuple[Way, Figures]]


def report(scenario: str, command: str, measured: Measured, alone: dict[str, float], cache: Path) -> str:
    parts = [
        f"### {scenario}",
        f"`{command}`, {_where()}. {_versions(measured, cache)}",
        _alone(alone),
        _closed_table(measured, alone["load"]),
        _open_table(measured),
        _aims(measured, alone),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _where() -> str:
    load = os.getloadavg()[0]
    today = datetime.date.today().isoformat()
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load:.1f} at the end, {today}"


def _versions(measured: Measured, cache: Path) -> str:
    named: dict[str, str] = {}
    for name in dict.fromkeys(["reference", *(way.environment for way, _ in measured)]):
        named |= versions(environment(name, cache), PACKAGES[name])
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in named.items()) + "."


def _alone(alone: dict[str, float]) -> str:
    text = f"The model alone: {alone['call'] * 1e6:.0f} us a call, loaded in {alone['load']:.2f} s"
    if "copy" in alone:
        return f"{text}; a copy of its input in memory takes {alone['copy'] * 1e6:.0f} us."
    return f"{text}; at best {alone['best_rows_per_s']:.0f} rows/s, in batches of {alone['best_batch']:.0f}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _loads(measured: Measured, of: Callable[[Figures], Iterable[int]]) -> list[int]:
    return sorted({load for _, figures in measured for load in of(figures)})


def _rate(rounds: Sequence[dict[str, float]]) -> float:
    return median(one["requests"] / one["seconds"] for one in rounds)


def _median(rounds: Sequence[dict[str, float]], name: str) -> float:
    return median(one.get(name, float("inf")) for one in rounds)


def _times(rounds: Sequence[dict[str, float]]) -> str:
    text = f"{_ms(_median(rounds, 'p50'))} / {_ms(_median(rounds, 'p99'))}"
    errors = sum(int(one["errors"]) for one in rounds)
    return f"{text} ({errors} errors)" if errors else text


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}" if seconds < 1 else f"{seconds * 1e3:.0f}"


def _closed_table(measured: Measured, load: float) -> str:
    counts = _loads(measured, lambda figures: figures.closed)
    head = ["server"]
    busiest = 32 if 32 in counts else counts[-1]
    for count in counts:
        head += [f"req/s, c{count}", "p50 / p99 ms"]
    rows = []
    for way, figures in measured:
        row = [way.label]
        for count in counts:
            rounds = figures.closed.get(count)
            row += [f"{_rate(rounds):.0f}", _times(rounds)] if rounds else ["-", figures.failed or "-"]
        if figures.closed:
            row.append(f"{_median(figures.closed[busiest], 'cpu') * 1e6:.0f} us")
            row += [f"{median(figures.memory) / 1e6:.0f} MB", f"{median(figures.start) - load:.2f} s"]
        rows.append([*row, *["-"] * (len(head) + 3 - len(row))])
    return _table([*head, f"CPU a request, c{busiest}", "memory", "start"], rows)


def _open_table(measured: Measured) -> str:
    rates = _loads(measured, lambda figures: figures.open)
    if not rates:
        return ""
    rows = []
    for way, figures in measured:
        cells = [_open_cell(figures.open.get(rate)) for rate in rates]
        rows.append([way.label, *cells])
    return "Open loop, p50 / p99 ms:\n\n" + _table(["server", *(f"{rate}/s" for rate in rates)], rows)


def _open_cell(rounds: Sequence[dict[str, float]] | None) -> str:
    if not rounds:
        return "-"
    return _times(rounds) if _sustained(rounds) else "not sustained"


def _sustained(rounds: Sequence[dict[str, float]]) -> bool:
    """In most of the rounds no error, nobody unanswered at the end, and 99 of 100 answers within a second."""
    return median(one["errors"] + one["unanswered"] for one in rounds) == 0 and _median(rounds, "p99") < 1


def _aims(measured: Measured, alone: dict[str, float]) -> str:
    ours = [(way, figures) for way, figures in measured if way.peer == MODELSHIP and figures.closed]
    if not ours:
        return ""
    lines = (
        _image_ratios(ours, measured, alone["copy"]) if "copy" in alone else _row_ratios(ours[0][1], measured, alone)
    )
    return "Ratios:\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _row_ratios(mine: Figures, measured: Measured, alone: dict[str, float]) -> list[str]:
    lines = []
    best_of_others = "the best of " + ", ".join(OTHERS)
    for peers, name in ((OTHERS, best_of_others), ((FASTAPI,), FASTAPI), ((FLOOR,), FLOOR)):
        theirs = [figures for way, figures in measured if way.peer in peers and figures.closed]
        if not theirs:
            continue
        ratios = [
            f"{_rate(rounds) / max(_rate(figures.closed[count]) for figures in theirs):.2f} at c{count}"
            for count, rounds in mine.closed.items()
        ]
        memory = median(mine.memory) / min(median(figures.memory) for figures in theirs)
        line = f"modelship to {name}: requests {', '.join(ratios)}; memory {memory:.2f} of the least"
        if 1 in mine.closed and peers == (FLOOR,):
            line += f"; p50 at c1 {_median(mine.closed[1], 'p50') / _median(theirs[0].closed[1], 'p50'):.2f}"
        lines.append(line)
    best = max(_rate(rounds) for rounds in mine.closed.values())
    lines.append(f"modelship to the model alone in its best batches: {best / alone['best_rows_per_s']:.2f}")
    for rate, rounds in mine.open.items():
        theirs = [
            (_median(figures.open[rate], "p99"), way.label)
            for way, figures in measured
            if way.peer not in (MODELSHIP, FLOOR) and rate in figures.open and _sustained(figures.open[rate])
        ]
        if theirs:
            p99, label = min(theirs)
            lines.append(f"at {rate}/s, p99 {_median(rounds, 'p99') / p99:.2f} of the best peer's, {label}")
    return lines


def _image_ratios(ours: Measured, measured: Measured, copy: float) -> list[str]:
    """Of each of our encodings to the floor's: JSON to JSON, V2 binary to bare bytes."""
    lines = []
    for way, figures in ours:
        encoding = "raw" if way.encoding == "v2-binary" else "json"
        floor = next((of for to, of in measured if to.peer == FLOOR and to.encoding == encoding and of.closed), None)
        if floor is None or 1 not in figures.closed or 1 not in floor.closed:
            continue
        mine, theirs = _median(figures.closed[1], "p50"), _median(floor.closed[1], "p50")
        copies = (mine - theirs) / copy
        lines.append(f"{way.label}: p50 at c1 {mine / theirs:.2f} of the floor's; {copies:+.1f} copies of the tensor")
    return lines

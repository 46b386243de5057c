"""modelship's service beside BentoML, LitServe, MLServer, FastAPI and a bare ASGI application: same models, one core.

`python3 bench/service/run.py --help`. Needs Linux, two cores, wrk, and for the first run a package index.
Each round starts every server anew, one at a time, so that a slow minute of the machine hits all of them; the Markdown
that is printed has the medians of the rounds. Load goes to 127.0.0.1 only, and ends by itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from environments import cache_folder, environment
from peers import HERE, WAYS, Way
from report import report
from server import Server, Wrong

# Connections of the closed loop, and requests a second of the open loop.
LOADS = {
    "digits": ((1, 32, 256), (200, 500, 1000, 3000, 6000)),
    "mlp": ((1, 32, 256), (100, 200, 500, 1000)),
    "image": ((1, 32), (20, 50, 100, 500)),
}


@dataclass
class Figures:
    """Of one way of serving: a list of what the rounds measured, for each load."""

    closed: dict[int, list[dict[str, float]]] = field(default_factory=dict)
    open: dict[int, list[dict[str, float]]] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    failed: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", nargs="+", choices=list(LOADS), default=list(LOADS))
    parser.add_argument("--peers", nargs="+", metavar="WORD", help="only those whose label has one of these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="for each measurement")
    parser.add_argument("--connections", type=int, nargs="*")
    parser.add_argument("--rates", type=int, nargs="*")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--port", type=int, default=18900)
    parser.add_argument("--cache", type=Path, default=cache_folder())
    given = parser.parse_args()

    (given.cache / "data").mkdir(parents=True, exist_ok=True)
    reference = environment("reference", given.cache) / "bin/python"
    subprocess.run([reference, HERE / "reference.py", "prepare", given.cache / "data"], check=True)
    pinned = ["taskset", "-c", str(given.server_core), str(reference), str(HERE / "reference.py"), "measure"]
    chosen = {
        scenario: [way for way in WAYS[scenario] if not given.peers or _named(way, given.peers)]
        for scenario in given.scenarios
    }
    for name in {way.environment for ways in chosen.values() for way in ways}:
        environment(name, given.cache)
    for scenario, ways in chosen.items():
        alone = subprocess.run([*pinned, scenario, given.cache / "data"], check=True, capture_output=True, text=True)
        figures = _measure(scenario, ways, given)
        command = "python3 bench/service/run.py " + " ".join(sys.argv[1:])
        print(report(scenario, command.strip(), figures, json.loads(alone.stdout), given.cache), flush=True)


def _named(way: Way, words: Sequence[str]) -> bool:
    return any(word.lower() in way.label.lower() for word in words)


def _measure(scenario: str, ways: Sequence[Way], given: argparse.Namespace) -> list[tuple[Way, Figures]]:
    connections, rates = LOADS[scenario]
    connections = connections if given.connections is None else given.connections
    rates = rates if given.rates is None else given.rates
    found = {id(way): Figures() for way in ways}
    for round_number in range(given.rounds):
        for way in ways:
            print(f"{scenario}, round {round_number + 1}: {way.label}", file=sys.stderr)
            folder = environment(way.environment, given.cache)
            try:
                with Server(way, scenario, folder, given.cache, given.server_core, given.port) as server:
                    _round(server, found[id(way)], connections, rates, given)
            except Wrong as problem:
                print(problem, file=sys.stderr)
                found[id(way)].failed = "does not answer rightly"
    return [(way, found[id(way)]) for way in ways]


def _round(
    server: Server, figures: Figures, connections: Sequence[int], rates: Sequence[int], given: argparse.Namespace
) -> None:
    figures.start.append(server.wait_until_right())
    _closed_loop(server, 32, 2, given.load_core)  # warms up
    for count in connections:
        figures.closed.setdefault(count, []).append(_closed_loop(server, count, given.seconds, given.load_core))
    figures.memory.append(server.memory())
    best = max((rounds[-1]["requests"] / rounds[-1]["seconds"] for rounds in figures.closed.values()), default=1e9)
    for rate in rates:
        # Far more than it answers at its best would only measure the queue.
        if rate <= 1.1 * best:
            figures.open.setdefault(rate, []).append(_open_loop(server, rate, given.seconds, given.load_core))


def _closed_loop(server: Server, connections: int, seconds: int, core: int) -> dict[str, float]:
    request = server.request
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(HERE / "post.lua"), f"http://127.0.0.1:{server.port}{request.path}", "--", str(request.body)]
    for header in request.headers.items():
        command += header
    before = server.cpu()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "cpu": (server.cpu() - before) / max(figures["requests"], 1)}


def _open_loop(server: Server, rate: int, seconds: int, core: int) -> dict[str, float]:
    request = server.request
    command = ["taskset", "-c", str(core), sys.executable, str(HERE / "open_loop.py"), "--port", str(server.port)]
    command += ["--path", request.path, "--body", str(request.body), "--rate", str(rate), "--seconds", str(seconds)]
    for header in request.headers.items():
        command += ["--header", *header]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()

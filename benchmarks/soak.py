"""Deploy many times under live users: check T4 at the end, and that memory stays flat.

    scripts/bench soak                                      1,000 deploys
    scripts/bench soak --deploys 15 --json
    scripts/bench soak --restless 0                         steady clients only
    scripts/bench soak --directory soak                     kept there; the same command continues

Each deploy is the real command in a process of its own; the programs that outlive a deploy
(supervisor, balancer, Redis) are measured after each. Bakes are as short as possible,
because no release is judged here. Beside the clients that stay connected, some reconnect
all the time under their old client_id. In DIRECTORY, `soak.jsonl` has a line for each
deploy; a soak that was stopped continues after the last one. Its ledger starts empty then,
so what users saw covers only the deploys since.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import psutil
from tests.support.installation import Installation
from tests.support.live_crowd import LiveCrowd
from tests.support.local_environments import kill_everything

from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.supervision import supervisor_pid
from isshoni.verify.result import Result
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Habits

SLOTS = ("blue", "green")
WARM_UP_SHARE = 0.2
"""The part of a soak that is left out of the slopes: caches fill, allocators settle."""


@dataclass(frozen=True)
class Size:
    """The memory and open files of a process."""

    rss_bytes: int
    files: int


@dataclass(frozen=True)
class Sample:
    """One deploy, and the long-lived processes after it."""

    number: int
    seconds: float
    outcome: str
    reason: str
    sizes: Mapping[str, Size]


class Samples:
    """The samples of a soak in a file; if a soak is killed, only the last line is lost."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.all = list(_read(file)) if file.exists() else []

    def add(self, sample: Sample) -> None:
        """Add a sample."""
        self.all.append(sample)
        with self._file.open("a") as stream:
            stream.write(json.dumps(asdict(sample)) + "\n")


def _read(file: Path) -> Iterator[Sample]:
    for line in file.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            row = json.loads(line)
            sizes = {name: Size(**size) for name, size in row.pop("sizes").items()}
            yield Sample(**row, sizes=sizes)


async def soak(platform: Installation, samples: Samples, options: argparse.Namespace) -> Result:
    """Deploy up to the last number while users talk; return what they saw."""
    address = platform.status()["address"].replace("http", "ws", 1)
    habits = Habits(options.messages_per_second, 0.5)
    settings = RunSettings(
        clients=options.clients,
        sessions=options.sessions,
        restless=options.restless,
        habits=habits,
        settle_seconds=60.0,
    )
    crowd = LiveCrowd(address, settings)
    try:
        await crowd.come()
        await crowd.talk_through(asyncio.to_thread(deploy_all, platform, samples, options.deploys))
        return await crowd.judge()
    finally:
        await crowd.leave()


def deploy_all(platform: Installation, samples: Samples, last: int) -> None:
    """Deploy again and again, and add a sample of each."""
    for number in range(len(samples.all) + 1, last + 1):
        began = time.monotonic()
        done = platform.run("deploy", f"soak-{number}", "--json", timeout=600)
        seconds = time.monotonic() - began
        report = json.loads(done.stdout) if done.stdout else {}
        outcome, reason = report.get("outcome", "failed"), report.get("reason", done.stderr)
        sample = Sample(number, round(seconds, 2), outcome, reason, measure_processes(platform))
        samples.add(sample)
        print(describe_sample(sample, last), file=sys.stderr, flush=True)


def measure_processes(platform: Installation) -> dict[str, Size]:
    """Measure the programs that outlive a deploy, and the synthetic users (this process)."""
    state_dir = platform.directory / "state"
    pids = {"users": psutil.Process().pid, "supervisor": supervisor_pid(state_dir)}
    files = ProgramFiles(state_dir)
    for name in set(files.names()) - set(SLOTS):
        seen = files.observed(name)
        pids[name] = seen.pid if seen else None
    processes = {name: psutil.Process(pid) for name, pid in sorted(pids.items()) if pid}
    return {name: Size(it.memory_info().rss, it.num_fds()) for name, it in processes.items()}


def describe_sample(sample: Sample, last: int) -> str:
    """Describe a sample in a line."""
    sizes = (
        f"{name} {size.rss_bytes / 1e6:.1f} MB {size.files} files"
        for name, size in sample.sizes.items()
    )
    line = f"{sample.number}/{last} {sample.outcome} in {sample.seconds:.1f} s; {', '.join(sizes)}"
    return line if sample.outcome == "promoted" else f"{line}\n  {sample.reason}"


def sum_up(samples: Sequence[Sample], result: Result) -> dict[str, Any]:
    """Return the figures of a soak."""
    seconds = sorted(sample.seconds for sample in samples)
    outcomes = [sample.outcome for sample in samples]
    return {
        "deploys": len(samples),
        "outcomes": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "seconds_per_deploy": {"p50": median(seconds), "max": seconds[-1]},
        "messages": {
            name: getattr(result.messages, name)
            for name in ("sent", "acked", "delivered", "lost", "doubled", "reordered")
        },
        "edits": {name: getattr(result.edits, name) for name in ("sent", "saved", "lost")},
        "gap_ms": {"max": result.gap_ms.max, "clients_cut": result.gap_ms.clients_cut},
        "trouble": list(result.trouble),
        "per_deploy": {name: find_slopes(samples, name) for name in samples[-1].sizes},
    }


def find_slopes(samples: Sequence[Sample], name: str) -> dict[str, float]:
    """Return by how much a warm process grew per deploy: least squares."""
    kept = [
        (float(sample.number), sample.sizes[name])
        for sample in samples[int(WARM_UP_SHARE * len(samples)) :]
        if name in sample.sizes
    ]
    if len(kept) < 2:
        return {}
    numbers = [number for number, _ in kept]
    grown = linear_regression(numbers, [size.rss_bytes / 1e3 for _, size in kept]).slope
    opened = linear_regression(numbers, [float(size.files) for _, size in kept]).slope
    return {"rss_kilobytes": round(grown, 2), "files": round(opened, 4)}


@contextmanager
def open_directory(directory: Path | None) -> Iterator[Path]:
    """Return the directory given, or else a temporary one."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="isshoni-") as name:
        yield Path(name)


def main() -> None:
    """Read the command line, soak, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deploys", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument(
        "--restless",
        type=int,
        default=5,
        help="clients beside them that reload, start again and duplicate themselves all the time",
    )
    parser.add_argument("--messages-per-second", type=float, default=1.0, help="of each client")
    parser.add_argument("--directory", type=Path, help="keep it here, and go on from there")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with open_directory(options.directory) as directory:
        platform = Installation(directory, bake_seconds=0.1, require_traffic=False)
        samples = Samples(directory / "soak.jsonl")
        try:
            up = platform.run("up")
            if up.returncode != 0:
                sys.exit(up.stderr)
            result = asyncio.run(soak(platform, samples, options))
        finally:
            kill_everything(directory / "state")
        figures = sum_up(samples.all, result)
    print(json.dumps(figures, indent=1) if options.json else show(figures))


def show(figures: Mapping[str, Any]) -> str:
    """Format the figures as lines."""
    lines = []
    for name, value in figures.items():
        rows = value.items() if name == "per_deploy" else [("", value)]
        lines += [f"{f'{name} {what}'.strip().replace('_', ' '):<28} {row}" for what, row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

r"""Measure the page in two real browsers on a canvas of 5,000 elements (T17).

    scripts/bench page                             a minute and a half
    scripts/bench page --elements 1000 --seconds 3 --json

A real backend and Redis; headless Chromium, which renders in software. "First stroke" is the time
from the start of a navigation to the stroke in the document, on an empty canvas: with an empty
cache, and again with the files cached. Frame times are those between the animation frames of one
browser, while it pans (by wheel), while it draws, while the other browser draws, and while both
draw: once with all of the canvas in view, once at full size. "receive alone" is what it receives
once the other browser is closed, from a client without a window that sends what a page sends: the
other browser draws each stroke too, in software, on the same cores. A task's time is the processor
time of one task of the page's main thread (of those over 1 ms): a busy machine makes frames late,
not tasks longer. The mean processor time of a frame is split by where it went: our code, libraries
(Excalidraw, React, Yjs) and garbage collection, by a profile of the main thread; the browser's own
work on that thread; drawing on its other threads. The heap is measured after a collection.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer

FRONTEND = Path(__file__).parents[1] / "frontend"
TIMEOUT_SECONDS = 400
VIEWS = ("all in view", "at full size")
COLUMNS = ("p50", "p99", "max", "frames", "task_p99", "task_max")
PARTS = ("ours", "libraries", "gc", "browser", "drawing")


def measure(elements: int, seconds: float) -> dict[str, Any]:
    """Start a server, run the browsers, return their figures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ValkeyServer(Path(folder) / "valkey", fsync="everysec") as redis,
        BackendProcess(redis.url, Path(folder) / "backend.log") as backend,
    ):
        backend.wait_until_ready()
        run = subprocess.run(
            ["node", "bench/page.mjs", backend.url, str(elements), str(seconds)],
            cwd=FRONTEND,
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    result: dict[str, Any] = json.loads(run.stdout)
    return result | {"machine": f"{platform.machine()}, {os.cpu_count()} cores, software rendering"}


def show(result: dict[str, Any]) -> None:
    """Print the figures as a table."""
    first = result["first_stroke_ms"]
    print(f"Chromium {result['chromium']} headless, {result['machine']}")
    print(
        f"first stroke: {first['cold']} ms with an empty cache, {first['warm']} ms with a full one"
    )
    print(
        f"{result['elements']} elements: shown after {result['shown_ms']} ms, "
        f"heap {result['heap_mb']} MB, at the end {result['heap_after_mb']} MB"
    )
    show_table("ms", COLUMNS, result)
    print("mean processor time of a frame:")
    show_table("ms", PARTS, {view: of_means(result[view]) for view in VIEWS})


def of_means(view: dict[str, Any]) -> dict[str, Any]:
    """Return the breakdown of each action's frames."""
    return {action: frame["mean"] for action, frame in view.items()}


def show_table(title: str, columns: tuple[str, ...], result: dict[str, Any]) -> None:
    """Print one line for each action in each view."""
    print(f"{title:<32}" + "".join(f"{column:>10}" for column in columns))
    for view in VIEWS:
        for action, frame in result[view].items():
            label = f"{view}, {action}"
            print(f"{label:<32}" + "".join(f"{frame[column]:>10}" for column in columns))


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.elements, options.seconds)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()

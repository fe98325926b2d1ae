"""Deploy under stock y-websocket and pycrdt clients: measure their gaps and losses."""

import argparse
import asyncio
import json
import statistics
import sys
from typing import Any

from tests.support.foreign_clients import Crowd, Outcome, draw_together
from tests.support.installation import Installation, installation


def main() -> None:
    """Deploy under clients of several kinds, and print their gaps beside the limit of T2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", type=int, default=20, help="y-websocket clients")
    parser.add_argument("--pycrdt", type=int, default=5, help="clients of pycrdt's provider")
    parser.add_argument("--own", type=int, default=5, help="clients of ours")
    parser.add_argument("--deploys", type=int, default=5)
    parser.add_argument("--every-seconds", type=float, default=1.0, help="between one's edits")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    crowd = Crowd(options.stock, options.pycrdt, options.own, options.every_seconds)
    with installation() as platform:
        platform.up()
        outcome = asyncio.run(_draw_through(platform, crowd, options.deploys))
    figures = summarise(outcome)
    print(json.dumps(figures) if options.json else _format(figures))
    sys.exit(0 if outcome.lost == 0 else 1)


async def _draw_through(platform: Installation, crowd: Crowd, deploys: int) -> Outcome:
    async def deploy() -> None:
        for number in range(1, deploys + 1):
            done = await asyncio.to_thread(platform.run, "deploy", f"v1.{number}")
            assert done.returncode == 0, done.stderr

    return await draw_together(platform.status()["address"], "together", crowd, deploy)


def summarise(outcome: Outcome) -> dict[str, Any]:
    """Return the figures that T2 and T4 are about."""
    return {
        "edits": len(outcome.drawn),
        "lost": outcome.lost,
        "y_websocket_gap_ms": _percentiles(outcome.stock_gaps_ms),
        "pycrdt_gap_ms": _percentiles(outcome.pycrdt_gaps_ms),
    }


def _percentiles(gaps_ms: list[float]) -> dict[str, float]:
    if len(gaps_ms) < 2:
        return {"count": len(gaps_ms)}
    cuts = statistics.quantiles(gaps_ms, n=100, method="inclusive")
    most = max(gaps_ms)
    return {
        "count": len(gaps_ms),
        "p50": round(cuts[49], 1),
        "p99": round(cuts[98], 1),
        "max": round(most, 1),
    }


def _format(figures: dict[str, Any]) -> str:
    return "\n".join(f"{name:<20} {figure}" for name, figure in figures.items())


if __name__ == "__main__":
    main()

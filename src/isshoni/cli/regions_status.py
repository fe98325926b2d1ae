"""Show both regions of an environment, for `isshoni status`."""

from typing import Any

from isshoni.cli.config import Config
from isshoni.cli.output import console, print_json, styled, table
from isshoni.cli.regions import RegionsContext, with_regions
from isshoni.engine.errors import JournalFault
from isshoni.engine.failover import FailoverEngine, find_active, observe_all
from isshoni.engine.failover_report import show_failover, show_lag
from isshoni.engine.region_versions import Difference, find_difference, read_version
from isshoni.environments.checks import Check
from isshoni.errors import ExitCode
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import RegionSeen


def show_regions(config: Config, environment: str, *, json: bool) -> ExitCode:
    """Print both regions and the last failover; return the exit code of `status`."""
    state = with_regions(config, environment, _observe)
    if json:
        print_json(state)
    else:
        _print(state)
    return ExitCode.OK if state["up"] else ExitCode.ENVIRONMENT


async def _observe(opened: RegionsContext) -> dict[str, Any]:
    seen = await observe_all(opened.engine)
    active = find_active(seen, await opened.regions.find_switched())
    latest = opened.engine.journal.read_latest_failover()
    regions = {
        name: {"address": opened.urls[name], **_describe(its, active)} for name, its in seen.items()
    }
    now = opened.engine.clock.now()
    return {
        "up": any(its.public for its in seen.values()),
        "active": active,
        "regions": regions,
        "difference": compare_versions(opened.engine, active),
        "failover": latest and show_failover(latest.failover, now),
    }


def compare_versions(engine: FailoverEngine, serving: str | None) -> Difference | None:
    """Return how the versions of both regions differ; None also if one cannot be read."""
    if serving is None:
        return None
    now = engine.clock.now()
    here, there = (
        read_version(name, engine.region_journals[name], now)
        for name in (serving, engine.other(serving))
    )
    if here is None or there is None:
        return None
    return find_difference(here, there, engine.environment)


def check_versions(config: Config, environment: str) -> Check:
    """Check that both regions have one version, for `isshoni doctor`."""
    try:
        difference = with_regions(config, environment, _compare)
    except (EnvironmentFault, JournalFault) as fault:
        return Check("versions", False, str(fault), f"see `isshoni status -e {environment}`")
    if difference is None:
        return Check("versions", True, "the regions do not differ")
    return Check("versions", False, difference.detail, difference.remedy)


async def _compare(opened: RegionsContext) -> Difference | None:
    seen = await observe_all(opened.engine)
    active = find_active(seen, await opened.regions.find_switched())
    return compare_versions(opened.engine, active)


def _describe(seen: RegionSeen, active: str | None) -> dict[str, Any]:
    record = seen.record
    return {
        "role": _name_role(seen, active),
        "version": seen.release,
        "term": record.term if record else None,
        "writer": (record.writer or None) if record else None,
        "redis_role": seen.redis_role,
        "lag": show_lag(seen.lag) if seen.redis_role == "slave" else None,
        "connections": seen.connections,
        "processes": len(seen.processes),
        "reason": _find_reason(seen, active),
    }


def _name_role(seen: RegionSeen, active: str | None) -> str:
    if not seen.processes:
        # Users get in all the same: a release from before regions, or an admin port that hangs.
        return "serving" if seen.public and seen.name == active else "down"
    if seen.record is not None and not seen.record.writer:
        return "fenced"
    if seen.name == active:
        return "serving"
    return "standby" if seen.redis_role == "slave" else "left behind"


def _find_reason(seen: RegionSeen, active: str | None) -> str | None:
    if seen.fault is not None:
        return seen.fault
    if seen.name == active:
        return next((each.reason for each in seen.processes if not each.ready), None)
    return next((each.reason for each in seen.processes if not each.standby_ready), None)


def _print(state: dict[str, Any]) -> None:
    rows = table("", "region", "role", "version", "term", "Redis", "lag", "connections", "address")
    for name, its in state["regions"].items():
        lag = its["lag"]
        shown = "–"
        if lag is not None:
            shown = "unknown" if lag["seconds"] is None else f"{lag['seconds']:.1f} s"
        values = (its["role"], its["version"] or "–", its["term"] or "–", its["redis_role"] or "–")
        rows.add_row(name, *map(str, values), shown, str(its["connections"]), its["address"])
    console.print(rows)
    for name, its in state["regions"].items():
        if its["reason"]:
            console.print(f"{name}: {its['reason']}", style="yellow")
    if state["difference"] is not None:
        difference: Difference = state["difference"]
        console.print(f"{difference.detail}.\n{difference.remedy}", style="yellow")
    last = state["failover"]
    if last is not None:
        words = f"{last['outcome']}" + (f" ({last['reason']})" if last["reason"] else "")
        way = f"Failover {last['id']} from {last['from']} to {last['to']} ({last['mode']}): "
        console.print(styled((way, "bold"), words))

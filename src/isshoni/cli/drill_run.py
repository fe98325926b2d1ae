"""A drill: acts on two regions while clients write, and the verdict of their ledger."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from isshoni.cli.drill_loss import measure_loss
from isshoni.cli.drill_regions import DrillRegions, open_drill, poll
from isshoni.cli.drill_report import Verdict, judge
from isshoni.cli.output import progress
from isshoni.cli.verify_output import Stages
from isshoni.rollout.failover.steps import PLANS
from isshoni.verify.ports import COMMAND_PHASE, DeployReport, PhaseSpan
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings

FAULTS = ("engine-killed", "replica-lags", "promote-fails", "old-primary-returns")
_CLIENTS_A_SESSION = 10
_QUIET_SECONDS = 2.0
LAG_SECONDS = 5.0


@dataclass(frozen=True)
class Drill:
    """The settings of a drill."""

    clients: int = 200
    runs: int = 1
    fault: str | None = None
    keep: Path | None = None
    only: str | None = None
    """`emergency`: no other acts."""


def run_drill(settings: Drill) -> Verdict:
    """Start two regions, do all acts, and return the verdict; raises `IsshoniError`."""
    with open_drill(settings.keep) as regions:
        return uvloop.run(_run(regions, settings))


def _interrupt() -> None:
    raise KeyboardInterrupt


async def _run(regions: DrillRegions, settings: Drill) -> Verdict:
    # What the drill has started must end with it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _interrupt)
    progress.print("· starting two regions")
    await regions.up()
    acts = Acts(regions, settings.fault, settings.only)
    names = list(acts.names) * settings.runs
    if settings.only is not None:
        names = names[: settings.runs]  # a run is one emergency
    result = await verify(
        regions.url("east"),
        RunSettings(
            clients=settings.clients,
            sessions=max(1, settings.clients // _CLIENTS_A_SESSION),
            talk_seconds=1.0,
            quiet_seconds=_QUIET_SECONDS,
        ),
        deploys=[PlannedDeploy(name, is_command=True) for name in names],
        runner=acts,
        on_progress=Stages().show,
    )
    return judge(result, acts.reports, [name in EMERGENCIES for name in names])


PLANNED, BACK = "planned failover", "failback"
EMERGENCY, BACK_AGAIN = "emergency", "failback after the emergency"
EMERGENCY_BACK = "emergency back"
EMERGENCIES = (EMERGENCY, EMERGENCY_BACK)


class Acts:
    """Does each act of a drill when `verify` asks for it, with the fault in the middle."""

    def __init__(self, regions: DrillRegions, fault: str | None, only: str | None = None) -> None:
        self._regions = regions
        self._fault = fault
        self._acts: dict[str, Callable[[], Awaitable[str]]] = {
            PLANNED: self._plan_over,
            BACK: self._fail_back,
            EMERGENCY: self._lose_east,
            BACK_AGAIN: self._fail_back_again,
        }
        if only is not None:
            self._acts = {
                EMERGENCY: lambda: self._lose_and_start_again("east", "west"),
                EMERGENCY_BACK: lambda: self._lose_and_start_again("west", "east"),
            }
        self._kept: dict[str, bytes] = {}
        self.reports: list[list[dict[str, Any]]] = []
        """What each act's failovers reported."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the acts in their order."""
        return tuple(self._acts)

    async def deploy(self, version: str) -> DeployReport:
        """Do one act, and return how it ended."""
        self.reports.append([])
        began = time.time()
        outcome = await self._acts[version]()
        reasons = [str(report["reason"]) for report in self.reports[-1] if report.get("reason")]
        span = PhaseSpan(COMMAND_PHASE, began, time.time())
        return DeployReport(outcome, phases=(span,), reason="; ".join(reasons) or None)

    async def _command(self, *arguments: str) -> str:
        report = await self._regions.run(*arguments)
        self.reports[-1].append(report)
        return str(report["outcome"])

    async def _plan_over(self) -> str:
        if self._fault == "engine-killed":
            await self._kill_engines()
        elif self._fault == "replica-lags":
            return await self._lag()
        elif self._fault == "promote-fails":
            async with self._regions.without_promotion("west"):
                outcome = await self._command("failover")
            if outcome != "back":
                return f"{outcome}, not back, when the promotion failed"
        return await self._command("failover")

    async def _kill_engines(self) -> None:
        """Kill the engine of the failover at each of its steps."""
        for step in PLANS["planned"][1:]:
            engine = await self._regions.start("failover", "--json")
            with suppress(ProcessLookupError):
                await poll(lambda: self._is_at(str(step.name)) or engine.returncode is not None)  # noqa: B023
                engine.send_signal(signal.SIGKILL)
            await engine.wait()
            progress.print(f"· killed the engine at {self._regions.find_step()}")

    def _is_at(self, name: str) -> bool:
        """True if the running failover has reached a step, or is past it."""
        order = [str(step.name) for step in PLANS["planned"]]
        at = self._regions.find_step()
        return at is not None and order.index(at) >= order.index(name)

    async def _lag(self) -> str:
        """Freeze the standby's Redis for a while as soon as the writes are stopped."""
        running = asyncio.create_task(self._command("failover"))
        await poll(lambda: self._is_at("fence") or running.done())
        self._regions.signal_redis("west", signal.SIGSTOP)
        await asyncio.sleep(LAG_SECONDS)
        self._regions.signal_redis("west", signal.SIGCONT)
        return await running

    async def _fail_back(self) -> str:
        return await self._command("failback")

    async def _lose_east(self) -> str:
        self._kept = self._regions.keep_programs("east")
        return await self._lose("east", "west")

    async def _lose_and_start_again(self, lost: str, other: str) -> str:
        """Lose the region that serves, and start it again as the standby of the other one."""
        outcome = await self._lose(lost, other)
        await self._regions.run("up", "--region", lost)
        return outcome

    async def _lose(self, lost: str, other: str) -> str:
        self._regions.kill(lost)
        # The standby's Redis has lost its primary, and takes no writes until it is promoted.
        copies = [self._regions.copy_data(name, f"lost-{name}") for name in (lost, other)]
        outcome = await self._command("failover", "--emergency")
        loss = await measure_loss(*copies)
        self.reports[-1][-1]["lacked"] = msgspec.to_builtins(loss)
        return outcome

    async def _fail_back_again(self) -> str:
        if self._fault == "old-primary-returns":
            await self._regions.return_programs("east", self._kept)
            await asyncio.sleep(LAG_SECONDS)
        await self._regions.run("up", "--region", "east")
        return await self._command("failback")

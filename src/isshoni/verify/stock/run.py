"""A run of `isshoni verify` with stock clients."""

import sys
from collections.abc import Callable, Sequence

from isshoni.verify.clock import RunClock
from isshoni.verify.load import Load
from isshoni.verify.ports import DeployRunner
from isshoni.verify.result import Result
from isshoni.verify.run import Progress, verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.stock import npm_folder
from isshoni.verify.stock.load import StockLoad
from isshoni.verify.stock.settings import Kind, StockSettings


def make_command(
    kind: Kind, *, offline: bool = False, say: Callable[[str], None] = lambda text: None
) -> list[str]:
    """Return the command of a process of stock clients; installs what it needs."""
    if kind is Kind.PLAIN:
        return [sys.executable, "-m", "isshoni.verify.stock.plain_clients"]
    return ["node", str(npm_folder.prepare(offline=offline, say=say) / "clients.mjs")]


async def verify_stock(
    stock: StockSettings,
    settings: RunSettings,
    command: Sequence[str],
    *,
    deploys: Sequence[PlannedDeploy] = (),
    runner: DeployRunner | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Result:
    """Run stock clients on an application through `deploys`, and judge the run."""

    def make_load(settings: RunSettings, clock: RunClock) -> Load:
        return StockLoad(stock, settings, clock, command, say=say)

    return await verify(
        stock.url,
        settings,
        deploys=deploys,
        runner=runner,
        on_progress=on_progress,
        make_load=make_load,
    )

"""`isshoni doctor`: check a local environment on this machine, or one on AWS."""

from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer
from rich.table import Table

from isshoni.cli.context import (
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    read_config,
    run,
)
from isshoni.cli.environments import place_on_aws
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.output import console, print_json, styled
from isshoni.cli.region_option import has_regions, list_regions
from isshoni.environments.checks import Check
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.doctor import examine
from isshoni.environments.local.repairs import repair
from isshoni.errors import ExitCode


def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Repair what can be repaired without touching users' data."),
    ] = False,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
    environment: EnvironmentOption = "local",
) -> None:
    """Check that this machine can run a local environment; repair it with `--fix`.

    With `--environment`, check one on AWS from this machine: credentials and the deployer's role,
    whether the backends' admin ports can be reached, Terraform's states and their locks, the
    quota of machines, alarms, and what was changed by hand. Nothing is changed. With two
    regions it also checks that both have one version, and says what brings them to one.

    `--fix` starts a supervisor for programs that run without one, removes files about processes
    that have ended, makes secrets readable by you only, and forgets chosen ports that another
    program uses or the kernel may use. It says what it did, and checks again.

        isshoni doctor
        isshoni doctor --fix
        isshoni doctor --fix --dry-run
        isshoni doctor --json
        isshoni doctor --environment staging

    Exit codes: 0 every check passed, 4 one failed; what to do about it is printed.
    """
    if dry_run and not fix:
        raise typer.BadParameter("doctor changes nothing without --fix", param_hint="--dry-run")
    if environment.startswith("local."):
        raise typer.BadParameter(
            "the regions of `local` run on one machine: check `local`", param_hint="--environment"
        )
    if environment != "local" and fix:
        raise typer.BadParameter("it repairs local environments only", param_hint="--fix")
    if environment == "local":
        config = read_config().environments.local
        checks, fixed = run(_examine(config, fix=fix, dry_run=dry_run))
    else:
        checks, fixed = _examine_on_aws(environment), []
    if has_regions(environment):
        from isshoni.cli.regions_status import check_versions  # slow to load

        with suppress(NoEnvironment):  # neither was started yet
            checks = [*checks, check_versions(read_config(), environment)]
    if json:
        print_json({"checks": checks, "fixed": fixed, "dry_run": dry_run} if fix else checks)
    else:
        for words in fixed:
            console.print(f"· {words}")
        for check in checks:
            console.print(_draw(check))
    raise SystemExit(ExitCode.OK if all(c.ok for c in checks) else ExitCode.ENVIRONMENT)


def _examine_on_aws(environment: str) -> list[Check]:
    """Return the checks of an environment; of two regions, named by their region."""
    from isshoni.environments.aws.doctor.examine import examine as examine_aws  # slow to load

    regions = list_regions(environment)
    if not regions:
        return run(examine_aws(place_on_aws(read_config(), environment)))
    found: list[Check] = []
    for region in regions:
        checks = run(examine_aws(place_on_aws(read_config(), f"{environment}.{region}")))
        found += [replace(check, name=f"{region} {check.name}") for check in checks]
    return found


async def _examine(
    config: LocalConfig, *, fix: bool, dry_run: bool
) -> tuple[list[Check], list[str]]:
    """Return the checks, and what was repaired; after a repair it is checked again."""
    checks = await examine(config)
    failed = {check.name for check in checks if not check.ok}
    fixed = await repair(config, failed, dry_run=dry_run) if fix else []
    return (await examine(config) if fixed and not dry_run else checks), fixed


_NAME_WIDTH = 18


def _draw(check: Check) -> Table:
    """Return a check as a line; its remedy, if it failed, below it."""
    drawn = Table.grid(padding=(0, 1))
    drawn.add_column(width=1)
    width = max(_NAME_WIDTH, len(check.name))
    drawn.add_column(width=width if console.width >= 60 else None)
    drawn.add_column(overflow="fold")
    mark = ("✓", "green") if check.ok else ("✗", "bold red")
    drawn.add_row(styled(mark), check.name, check.detail)
    if not check.ok and check.remedy:
        drawn.add_row("", "", styled((f"→ {check.remedy}", "yellow")))
    return drawn

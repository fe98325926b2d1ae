"""`isshoni doctor`: check that this machine can run a local environment."""

from rich.table import Table

from isshoni.cli.context import JsonFlag, read_config, run
from isshoni.cli.output import console, print_json, styled
from isshoni.environments.local.doctor import Check, examine
from isshoni.errors import ExitCode


def doctor(json: JsonFlag = False) -> None:
    """Check that this machine can run a local environment; change nothing.

        isshoni doctor
        isshoni doctor --json

    Exit codes: 0 every check passed, 4 one failed; what to do about it is printed.
    """
    checks = run(examine(read_config().environments.local))
    if json:
        print_json(checks)
    else:
        for check in checks:
            console.print(_draw(check))
    raise SystemExit(ExitCode.OK if all(c.ok for c in checks) else ExitCode.ENVIRONMENT)


_NAME_WIDTH = 18


def _draw(check: Check) -> Table:
    """Return a check as a line; its remedy, if it failed, below it."""
    drawn = Table.grid(padding=(0, 1))
    drawn.add_column(width=1)
    drawn.add_column(width=_NAME_WIDTH if console.width >= 60 else None)
    drawn.add_column(overflow="fold")
    mark = ("✓", "green") if check.ok else ("✗", "bold red")
    drawn.add_row(styled(mark), check.name, check.detail)
    if not check.ok and check.remedy:
        drawn.add_row("", "", styled((f"→ {check.remedy}", "yellow")))
    return drawn

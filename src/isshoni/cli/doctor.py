"""`isshoni doctor`: check that this machine can run a local environment."""

from isshoni.cli.context import JsonFlag, read_config, run
from isshoni.cli.output import console, print_json
from isshoni.environments.local.doctor import examine
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
            mark = "[green]✓[/]" if check.ok else "[bold red]✗[/]"
            console.print(f"{mark} {check.name:<18} {check.detail}")
            if not check.ok and check.remedy:
                console.print(f"  {'':<18} → {check.remedy}", style="yellow")
    raise SystemExit(ExitCode.OK if all(c.ok for c in checks) else ExitCode.ENVIRONMENT)

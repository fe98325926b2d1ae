"""`isshoni failback`: return to the region that served before the last failover."""

from isshoni.cli.context import DryRunFlag, EnvironmentOption, JsonFlag, read_config
from isshoni.cli.failover_run import find_failback, run_failover, show_forecast
from isshoni.cli.regions import with_regions


def failback(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Return to the region that served before the last failover: a planned failover back.

    After an emergency, first start the lost region again (`isshoni up --region NAME`): it
    becomes a standby, and writes that only it had are dropped; the clients that had them have
    handed them back. An unfinished failover is finished first.

        isshoni failback
        isshoni failback --dry-run

    Exit codes: those of `isshoni failover`.
    """
    config = read_config()
    to = with_regions(config, environment, find_failback)
    if dry_run:
        with_regions(
            config, environment, lambda opened: show_forecast(opened, to, "planned", json=json)
        )
        return
    run_failover(config, environment, to, "planned" if to else None, json=json)

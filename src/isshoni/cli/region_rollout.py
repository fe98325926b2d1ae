"""Find the region of an environment in which a rollout runs."""

from isshoni.cli.context import open_context
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.region_option import list_regions, refuse_deploy_during_failover
from isshoni.engine.errors import NothingToDo
from isshoni.rollout.errors import EnvironmentFault


def choose_environment(environment: str) -> str:
    """Return the region in which a rollout runs; of a name without regions, the name.

    Raises `NothingToDo` if none runs or both do, `LeaseHeld` while a failover runs.
    """
    regions = list_regions(environment)
    if not regions:
        return environment
    found: list[str] = []
    faults: list[EnvironmentFault | NoEnvironment] = []
    for name in (f"{environment}.{region}" for region in regions):
        try:
            if _has_rollout(name):
                found.append(name)
        except (EnvironmentFault, NoEnvironment) as fault:  # one of them may be lost
            faults.append(fault)
    if len(found) == 1:
        return found[0]
    if found:
        raise NothingToDo(f"a rollout runs in both regions: name one, as in `-e {found[0]}`")
    if faults:
        raise faults[0]
    refuse_deploy_during_failover(f"{environment}.{regions[0]}")
    raise NothingToDo(f"no rollout is running in {' or '.join(regions)}")


def _has_rollout(environment: str) -> bool:
    with open_context(environment) as context:
        latest = context.journal.read_latest()
    return latest is not None and latest.rollout.outcome == "running"

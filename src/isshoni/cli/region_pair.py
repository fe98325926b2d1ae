"""Open both regions of an environment by their present role."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from isshoni.cli.config import Config
from isshoni.cli.context import Context, open_context, read_config, run
from isshoni.cli.environments import find_on_aws
from isshoni.cli.releases import set_drain
from isshoni.engine.errors import NothingToDo
from isshoni.engine.region_deploy import Check, RegionPair, RegionTarget
from isshoni.environments.aws.environment import AwsEnvironment
from isshoni.environments.aws.errors import AccessFault, AwsFault, CredentialsFault
from isshoni.environments.local.region_files import read_switch
from isshoni.rollout.failover.model import RegionRecord


@dataclass(frozen=True)
class OpenRegions:
    """Both regions, opened, by their present role."""

    pair: RegionPair
    contexts: Mapping[str, Context]

    @property
    def ordered(self) -> list[Context]:
        """Return the contexts in the order of a deploy: the standby first."""
        return [self.contexts[self.pair.standby.name], self.contexts[self.pair.serving.name]]


@contextmanager
def open_pair(environment: str, drain: float | None) -> Iterator[OpenRegions]:
    """Open both regions; raises `NothingToDo` if that is not possible, or a failover concerns them.

    `drain`: another drain timeout of their rollouts.
    """
    with ExitStack() as stack:
        open_by_role = _open_local if environment == "local" else _open_on_aws
        serving, opened, check = open_by_role(read_config(), environment, stack)
        contexts = {name: set_drain(context, drain) for name, context in opened.items()}
        targets = {name: RegionTarget(name, c.engine, c.plan) for name, c in contexts.items()}
        (standby,) = (name for name in targets if name != serving)
        pair = RegionPair(targets[standby], targets[serving], check, environment)
        yield OpenRegions(pair, contexts)


Opened = tuple[str, Mapping[str, Context], Check]
"""The region that serves, both regions, and what finds out if a failover changed that."""


def _open_local(config: Config, environment: str, stack: ExitStack) -> Opened:
    local = config.environments.local
    serving = read_switch(local)
    if serving is None:
        first = next(iter(local.regions))
        raise NothingToDo(f"no region serves: start one with `isshoni up --region {first}`")
    run(_check_local(config, serving))
    contexts = {
        name: stack.enter_context(open_context(f"{environment}.{name}"))
        for name in (serving, *(each for each in local.regions if each != serving))
    }
    return serving, contexts, lambda: _check_local(config, serving)


async def _check_local(config: Config, serving: str) -> None:
    """Raise `NothingToDo` or `LeaseHeld` if another region serves, or is about to."""
    from isshoni.cli.regions import check_failover  # slow to load

    check_failover(config.environments.local)
    now = read_switch(config.environments.local)
    if now != serving:
        raise NothingToDo(f"{now} serves now, no longer {serving}: see `isshoni status`")


def _open_on_aws(config: Config, environment: str, stack: ExitStack) -> Opened:
    from isshoni.cli.regions import check_failover_on_aws  # slow to load

    settings = find_on_aws(config, environment)
    run(check_failover_on_aws(settings))
    contexts: dict[str, Context] = {}
    lost: dict[str, AwsFault] = {}
    for name in settings.regions:
        try:
            contexts[name] = stack.enter_context(open_context(f"{environment}.{name}"))
        except (AccessFault, CredentialsFault):
            raise
        except AwsFault as fault:
            lost[name] = fault
    places = {name: _find_place(context) for name, context in contexts.items()}
    serving = find_serving(run(_read_records(places)), environment)
    _refuse_lost(serving, lost, environment)
    _refuse_two_writers(serving, contexts, environment)

    async def check() -> None:
        await check_failover_on_aws(settings)
        now = find_serving(await _read_records(places), environment)
        if now != serving:
            raise NothingToDo(
                f"{now} serves now, no longer {serving}: see `isshoni status -e {environment}`"
            )

    return serving, contexts, check


def _find_place(context: Context) -> AwsEnvironment:
    assert isinstance(context.place, AwsEnvironment)
    return context.place


async def _read_records(places: Mapping[str, AwsEnvironment]) -> dict[str, RegionRecord | None]:
    return {name: (await place.read_role()).record for name, place in places.items()}


def find_serving(records: Mapping[str, RegionRecord | None], environment: str) -> str:
    """Return the region that writes by the newest record; raises `NothingToDo`."""
    known = [record for record in records.values() if record is not None]
    if not known:
        name = next(iter(records), "REGION")
        raise NothingToDo(
            f"no machine reports which region serves: check with `isshoni doctor -e "
            f"{environment}.{name}` that this machine reaches their admin ports; the first "
            f"version is started with `isshoni up VERSION -e {environment}.{name}`"
        )
    newest = max(known, key=lambda record: record.term)
    if not newest.writer:
        raise NothingToDo(
            f"no region may write now (term {newest.term}): finish that with `isshoni failover -e "
            f"{environment}`"
        )
    return newest.writer


def _refuse_lost(serving: str, lost: Mapping[str, AwsFault], environment: str) -> None:
    for name, fault in lost.items():
        if name == serving:
            raise NothingToDo(
                f"{name}, which serves, cannot be read ({fault}): if it is lost, `isshoni failover "
                f"--emergency -e {environment}`"
            )
        raise NothingToDo(
            f"the standby {name} cannot be read ({fault}): deploy to {serving} alone with "
            f"`isshoni deploy VERSION -e {environment}.{serving}`"
        )


def _refuse_two_writers(serving: str, contexts: Mapping[str, Context], environment: str) -> None:
    """Raise `NothingToDo` if the other region does not report that it stands by."""
    for name, context in contexts.items():
        if name != serving and not context.is_standby:
            raise NothingToDo(
                f"{serving} serves, but no machine of {name} reports that it stands by: start it "
                f"with `isshoni up VERSION -e {environment}.{name}`, or see `isshoni status -e "
                f"{environment}`"
            )

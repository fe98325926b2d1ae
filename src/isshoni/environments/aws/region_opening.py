"""Open both regions of an environment on AWS; one of them may be lost."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from isshoni.engine.errors import JournalFault
from isshoni.engine.journal import Journal
from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.dynamo_journal import DynamoJournal
from isshoni.environments.aws.errors import AccessFault, AwsFault, CredentialsFault
from isshoni.environments.aws.groups import Groups
from isshoni.environments.aws.outputs import Outputs, fetch_outputs
from isshoni.environments.aws.region_datastore import GlobalDatastore
from isshoni.environments.aws.region_ingress import BalancerIngress
from isshoni.environments.aws.region_journal import DynamoFailovers
from isshoni.environments.aws.region_machines import RegionMachines
from isshoni.environments.aws.region_outputs import GlobalOutputs, fetch_global_outputs, find_origin
from isshoni.environments.aws.region_public import PublicAddress
from isshoni.environments.aws.region_switch import PublicSwitch
from isshoni.environments.aws.regions import AwsRegion, AwsRegions
from isshoni.environments.aws.secret import BackendSecret
from isshoni.environments.progress import ReportStep
from isshoni.rollout.errors import EnvironmentFault

_ATTEMPTS, _TIMEOUT_SECONDS = 2, 2.0
"""A lost region does not answer, and the other one must not wait for long."""
_JOURNAL_TIMEOUT_SECONDS = 4.0
"""Less than the five seconds of a lease: a hanging engine would lose it."""


@dataclass(frozen=True)
class OpenedRegions:
    """Both regions, with their journals and that of failovers."""

    regions: AwsRegions
    failovers: DynamoFailovers
    journals: Mapping[str, Journal]
    """The journals of deploys; every call of a lost region's raises `JournalFault`."""
    urls: Mapping[str, str]
    """The origin that leads to each region."""


async def open_regions(config: AwsConfig, say: ReportStep) -> OpenedRegions:
    """Read what the regions publish, and open them; raises `EnvironmentFault`."""
    shared = await fetch_global_outputs(config.name, tuple(config.regions))
    # By their names, as Terraform makes them: a lost region cannot be asked.
    journals = {n: _open_journal(shared, n, f"{config.name}-journal") for n in config.regions}
    apis = {
        name: AwsApi(
            name,
            attempts=_ATTEMPTS,
            timeout_seconds=_TIMEOUT_SECONDS,
            role_arn=shared.failover_role_arn,
        )
        for name in config.regions
    }
    urls = {n: its.url or find_origin(shared.public_url, n) for n, its in config.regions.items()}
    opened: dict[str, AwsRegion] = {}
    lost: dict[str, str] = {}
    for name, api in apis.items():
        try:
            outputs = await _fetch_outputs(config, api)
        except AwsFault as fault:
            lost[name] = str(fault)
            continue
        journals[name] = _open_journal(shared, name, outputs.journal_table)
        opened[name] = _open(config, api, outputs, journals[name], urls[name])
    if not opened:
        raise EnvironmentFault("; ".join(lost.values()))
    regions = AwsRegions(
        opened,
        lost,
        datastore=GlobalDatastore(apis, config.name, config.look_seconds),
        # Route 53 is in no region; its clients are named after one.
        switch=PublicSwitch(apis[next(iter(opened))], shared),
        plan=config.rollout,
        say=say,
    )
    failovers = await asyncio.to_thread(_find_copy, shared, shared.failover_role_arn)
    return OpenedRegions(regions, failovers, journals, urls)


async def _fetch_outputs(config: AwsConfig, api: AwsApi) -> Outputs:
    """Return what a region publishes; raises `AwsFault` only if the region may be lost."""
    folder = str(config.regions[api.region].terraform)
    try:
        await asyncio.to_thread(
            api.connect, "ssm", "autoscaling", "ec2", "ecs", "elasticache", "secretsmanager"
        )
        return await fetch_outputs(api, config.name, folder)
    except (AccessFault, CredentialsFault) as fault:
        raise EnvironmentFault(str(fault)) from None


def _open(
    config: AwsConfig, api: AwsApi, outputs: Outputs, journal: DynamoJournal, url: str
) -> AwsRegion:
    secret = BackendSecret(api, outputs)
    groups = Groups(api, outputs, config.look_seconds)
    return AwsRegion(
        api.region,
        RegionMachines(groups, journal, outputs.admin_port, lambda: secret.admin_token),
        BalancerIngress(api, outputs.load_balancer_group_id),
        PublicAddress(url),
    )


def _open_journal(shared: GlobalOutputs, region: str, table: str) -> DynamoJournal:
    return DynamoJournal(_reach_journal(region, shared.failover_role_arn), table)


def _reach_journal(region: str, role_arn: str) -> AwsApi:
    return AwsApi(
        region,
        attempts=_ATTEMPTS,
        timeout_seconds=_JOURNAL_TIMEOUT_SECONDS,
        role_arn=role_arn,
    )


async def open_failovers(config: AwsConfig) -> DynamoFailovers:
    """Open the journal of failovers with the caller's own role; raises `JournalFault`."""
    shared = await fetch_global_outputs(config.name, tuple(config.regions))
    return await asyncio.to_thread(_find_copy, shared, "")


def _find_copy(shared: GlobalOutputs, role_arn: str) -> DynamoFailovers:
    """Return the first copy of the journal that answers, that of the first region first."""
    faults: list[JournalFault] = []
    for region in shared.regions:
        copy = DynamoFailovers(_reach_journal(region, role_arn), shared.journal_table)
        try:
            copy.read_lease()
        except JournalFault as fault:
            faults.append(fault)
            continue
        return copy
    raise faults[0]

"""An environment on AWS: implements the engine's ports with what Terraform created."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from isshoni.engine.environment import SystemClock
from isshoni.environments.aws.alarms import CloudWatchAlarms
from isshoni.environments.aws.alb import AlbTraffic
from isshoni.environments.aws.api import AwsApi, export_role
from isshoni.environments.aws.backends import InstanceBackends
from isshoni.environments.aws.balancer_counters import BalancerCounters
from isshoni.environments.aws.cloudwatch_logs import CloudWatchLogs
from isshoni.environments.aws.compute import AwsCompute
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.dynamo_journal import DynamoJournal
from isshoni.environments.aws.errors import NoTokenKeys, NotTakenDown
from isshoni.environments.aws.groups import Groups
from isshoni.environments.aws.leaving import LeavingInstances
from isshoni.environments.aws.outputs import Outputs, fetch_outputs
from isshoni.environments.aws.probes import SecretProbes
from isshoni.environments.aws.region_outputs import find_origin
from isshoni.environments.aws.region_role import choose_role
from isshoni.environments.aws.region_standby import (
    RegionRole,
    find_standby_trouble,
    read_role,
)
from isshoni.environments.aws.secret import BackendSecret
from isshoni.environments.aws.sns import SnsNotifier
from isshoni.environments.aws.state_locks import StateLocks
from isshoni.environments.aws.targets import Targets
from isshoni.environments.aws.terraform import Terraform, TerraformSettings
from isshoni.environments.errors import ProgramNotReady
from isshoni.environments.place import Preview
from isshoni.environments.progress import ReportStep
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, Release, Stable, Weights, other

_JOURNAL_TIMEOUT_SECONDS = 4.0
"""Less than the five seconds of a lease: a hanging engine would lose it."""
_JOURNAL_ATTEMPTS = 2


class AwsEnvironment:
    """The load balancer and the groups of the two slots, each with a Terraform state of its own."""

    def __init__(
        self,
        config: AwsConfig,
        outputs: Outputs,
        terraform: Mapping[Colour, Terraform],
        say: ReportStep,
    ) -> None:
        self._config = config
        self._outputs = outputs
        self._say = say
        self._api = AwsApi(outputs.region, role_arn=config.role_arn)
        self._secret = BackendSecret(self._api, outputs)
        self._groups = groups = Groups(self._api, outputs, config.look_seconds)
        targets = Targets(self._api, outputs, config.look_seconds)
        self.backends = InstanceBackends(
            groups, outputs.admin_port, lambda: self._secret.admin_token
        )
        self.traffic = AlbTraffic(
            self._api,
            outputs,
            groups=groups,
            targets=targets,
            backends=self.backends,
            counters=BalancerCounters(self._api, outputs),
            look_seconds=config.look_seconds,
        )
        self.leaving = LeavingInstances(
            self._api, outputs, groups=groups, backends=self.backends, clock=SystemClock()
        )
        self._logs = CloudWatchLogs(self._api, outputs)
        self._locks = StateLocks(config)
        self.compute = AwsCompute(
            terraform=terraform,
            groups=groups,
            targets=targets,
            locks=self._locks,
            logs=self._logs,
            folder=config.terraform,
            empty_seconds=config.empty_seconds,
            say=say,
            prices=config.prices,
            check_rules=self.traffic.check_rules,
            looks=(self.backends,),
        )
        self.is_standby = False
        """True if another of two regions writes, as this one's instances report."""
        self.probes = SecretProbes(self.public_url, self._secret)
        self.alarms = CloudWatchAlarms(self._api, outputs)

    def connect(self) -> None:
        """Load the AWS library; raises `MissingExtra` if it is not installed."""
        self._api.connect("autoscaling", "cloudwatch", "ec2", "ecs", "elbv2", "secretsmanager")
        self._locks.connect()

    async def read_role(self) -> RegionRole:
        """Return whether this region serves or stands by; one that does not answer does neither."""
        try:
            groups = await self._groups.observe()
            token = await asyncio.to_thread(lambda: self._secret.admin_token)
        except EnvironmentFault:
            return RegionRole()
        outputs = self._outputs
        return await read_role(outputs.region, groups.values(), outputs.admin_port, token)

    @property
    def state_dir(self) -> Path:
        """Return the directory of reports on this machine."""
        return self._config.state_dir

    @property
    def public_url(self) -> str:
        """Return the URL that users open."""
        return self._config.public_url or self._outputs.public_url

    @property
    def admin_token(self) -> str:
        """Return the token for the admin API and for the dashboard's actions."""
        return self._secret.admin_token

    @property
    def relaying(self) -> None:
        """Return None: no relay runs on AWS."""

    @property
    def token_keys(self) -> str:
        """Return the keys that sign session tokens."""
        if not self._secret.token_keys:
            raise NoTokenKeys(self._outputs.backend_secret)
        return self._secret.token_keys

    @property
    def processes(self) -> None:
        """Return None: no session is moved between the instances of a slot."""

    @property
    def variables(self) -> None:
        """Return None: the task definition sets the variables."""

    @property
    def log_names(self) -> Sequence[str]:
        """Return the programs that have a log."""
        return COLOURS

    def open_journal(self) -> DynamoJournal:
        """Open the journal; the caller closes it."""
        api = AwsApi(
            self._outputs.region,
            attempts=_JOURNAL_ATTEMPTS,
            timeout_seconds=_JOURNAL_TIMEOUT_SECONDS,
            role_arn=self._config.role_arn,
        )
        return DynamoJournal(api, self._outputs.journal_table)

    def find_notifiers(self) -> Sequence[SnsNotifier]:
        """Return the notifier of the environment's SNS topic."""
        return (SnsNotifier(self._api, self._outputs.sns_topic_arn),)

    async def find_troubles(self) -> Sequence[str]:
        """Return no lines: CloudWatch alarms watch the balancer."""
        return ()

    def describe_up(self) -> Sequence[str]:
        """Return the Terraform folder and the URL, one per line."""
        return (f"Terraform in {self._config.terraform}", f"users at {self.public_url}")

    async def preview_start(self, colour: Colour, release: Release) -> Preview:
        """Return what Terraform would change to start a release on a slot."""
        return await self.compute.preview(colour, release)

    async def is_up(self) -> bool:
        """True if a slot with a weight serves: one sick machine makes no environment down."""
        try:
            weights = await self.traffic.verify_weights()
            health = await self.traffic.observe_serving()
        except EnvironmentFault:
            return False
        return weights is not None and any(health[c] and weights.of(c) for c in COLOURS)

    async def up(self, stable: Stable) -> None:
        """Start the stable slot, and send it all traffic unless the other slot serves.

        `terraform apply` must have created the infrastructure before.
        """
        slots = await self.compute.observe_slots()
        running = slots[stable.colour].release
        if running is not None and running != stable.release:
            raise EnvironmentFault(
                f"{stable.colour} runs {running.label} already: deploy {stable.release.label} "
                "instead"
            )
        await self.compute.prepare(stable.release)
        if running is None:
            self._say(f"starting {stable.release.label} on {stable.colour}")
            await self.compute.start(stable.colour, stable.release)
        else:
            self._say(f"{running.label} is running on {stable.colour}")
        await self._wait_until_healthy(stable.colour)
        if not await self._is_served(other(stable.colour)):
            await self._send_all_traffic_to(stable.colour)

    async def _wait_until_healthy(self, colour: Colour) -> None:
        async def healthy() -> bool:
            if (await self.traffic.observe_health())[colour]:
                return True
            stands_by = await self._find_standby_trouble(colour) is None
            if stands_by:
                self._say(f"{colour} stands by: the other region serves")
            return stands_by

        limit = self._config.rollout.start_timeout_seconds
        self._say(f"waiting until {colour} is healthy")
        if not await wait_until(healthy, limit):
            log = self._outputs.log_groups.of(colour)
            raise ProgramNotReady(colour, f"no healthy targets in {limit:g} s", log)

    async def _find_standby_trouble(self, colour: Colour) -> str | None:
        group = (await self._groups.observe())[colour]
        token = await asyncio.to_thread(lambda: self._secret.admin_token)
        return await find_standby_trouble(group, self._outputs.admin_port, token)

    async def _is_served(self, colour: Colour) -> bool:
        """True if a slot has a weight and serves: then a running rollout may have set it."""
        weights = await self.traffic.verify_weights()
        served = weights is not None and weights.of(colour) > 0
        return served and (await self.traffic.observe_serving())[colour]

    async def _send_all_traffic_to(self, colour: Colour) -> None:
        wanted = Weights.favouring(colour, 100)

        async def in_force() -> bool:
            return await self.traffic.verify_weights() == wanted

        if not await in_force():
            await self.traffic.apply_weights(wanted)
        limit = self._config.rollout.weight_timeout_seconds
        if not await wait_until(in_force, limit):
            raise EnvironmentFault(
                f"the balancer did not apply the weights {wanted} in {limit:g} s"
            )

    async def down(self) -> None:
        """Raise `NotTakenDown`: `terraform destroy` must be used on purpose."""
        raise NotTakenDown(str(self._config.terraform))

    async def purge(self) -> None:
        """Raise `NotTakenDown`, like `down`."""
        raise NotTakenDown(str(self._config.terraform))

    async def tail_log(self, name: str, lines: int) -> list[str]:
        """Return the last lines of a slot's log, oldest first."""
        return await self._logs.tail(_as_colour(name), lines)

    def follow_log(self, name: str) -> AsyncIterator[str]:
        """Yield each new line of a slot's log."""
        return self._logs.follow(_as_colour(name))


async def open_environment(
    config: AwsConfig, say: ReportStep, *, is_region: bool = False
) -> AwsEnvironment:
    """Read what Terraform created, and return the environment, or one of two regions."""
    folder = str(config.terraform)
    if is_region:
        config = await choose_role(config)
    api = AwsApi(config.region, role_arn=config.role_arn)
    await asyncio.to_thread(api.connect, "ssm")
    outputs = await fetch_outputs(api, config.name, folder)
    if is_region and config.public_url is None:
        # The public name leads to the region that serves, whichever that is.
        config = config.model_copy(
            update={"public_url": find_origin(outputs.public_url, config.region)}
        )
    made = AwsEnvironment(config, outputs, {c: _find_terraform(config, c) for c in COLOURS}, say)
    await asyncio.to_thread(made.connect)
    if is_region:
        made.is_standby = (await made.read_role()).is_standby
    return made


def _find_terraform(config: AwsConfig, colour: Colour) -> Terraform:
    return Terraform(
        TerraformSettings(
            program=config.terraform_program,
            folder=config.terraform / colour,
            variables={"name": config.name, "region": config.region, **config.variables},
            timeout_seconds=config.terraform_seconds,
            backend=config.backend,
            read_credentials=partial(export_role, config.region, config.role_arn)
            if config.role_arn
            else None,
        )
    )


def _as_colour(name: str) -> Colour:
    for colour in COLOURS:
        if name == colour:
            return colour
    raise EnvironmentFault(f"there is no log of {name!r} here, only of: {', '.join(COLOURS)}")

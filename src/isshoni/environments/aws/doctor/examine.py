"""Check an environment on AWS: what a deploy needs, and what was changed by hand."""

import asyncio
from collections.abc import Awaitable, Callable

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.doctor.access import check_credentials, check_deployer
from isshoni.environments.aws.doctor.capacity import check_quota
from isshoni.environments.aws.doctor.ground import (
    check_alarms,
    check_groups,
    check_rules,
    check_subscriptions,
)
from isshoni.environments.aws.doctor.inspected import Inspected
from isshoni.environments.aws.doctor.reach import check_admin_ports
from isshoni.environments.aws.doctor.state import check_locks, check_state, check_terraform
from isshoni.environments.aws.errors import AccessFault
from isshoni.environments.aws.outputs import fetch_outputs
from isshoni.environments.aws.region_role import choose_role
from isshoni.environments.checks import Check
from isshoni.rollout.errors import EnvironmentFault

CheckOf = Callable[[Inspected], Awaitable[Check]]

_OF_GROUND: tuple[tuple[str, CheckOf], ...] = (
    ("deployer's role", check_deployer),
    ("admin ports", check_admin_ports),
    ("state", check_state),
    ("locks", check_locks),
    ("quota", check_quota),
    ("alarms", check_alarms),
    ("subscriptions", check_subscriptions),
    ("groups", check_groups),
    ("rules", check_rules),
)
_OLD_GROUND = (
    "let the role that runs this read it: newer deployer's roles may (`terraform apply` in the "
    "folder of the ground)"
)


async def examine(config: AwsConfig) -> list[Check]:
    """Run every check and return the results; a failed check does not stop the others.

    Without credentials, or without what the ground publishes, nothing else can be checked.
    """
    api = AwsApi(config.region, role_arn=config.role_arn)
    await asyncio.to_thread(api.connect, "sts", "ssm")
    checks = [await check_terraform(config), await check_credentials(api)]
    if not checks[-1].ok:
        return checks
    try:
        config = await choose_role(config)
        api = AwsApi(config.region, role_arn=config.role_arn)
        outputs = await fetch_outputs(api, config.name, str(config.terraform))
    except EnvironmentFault as fault:
        remedy = f"as an administrator: `terraform -chdir={config.terraform} apply`"
        return [*checks, Check("ground", False, str(fault), remedy)]
    checks.append(Check("ground", True, f"published as /{config.name}/engine"))
    inspected = Inspected(config, api, outputs)
    found = await asyncio.gather(*(_run(name, check, inspected) for name, check in _OF_GROUND))
    return [*checks, *found]


async def _run(name: str, check: CheckOf, inspected: Inspected) -> Check:
    try:
        return await check(inspected)
    except AccessFault as fault:
        return Check(name, False, str(fault), _OLD_GROUND)
    except EnvironmentFault as fault:
        return Check(name, False, str(fault), "run this again; the message says what failed")

"""Two regions of an environment on AWS, each with a balancer and machines that are really there.

One server of the API for both; a Global Datastore of real Valkeys (see `global_datastore`). The
copies of the table of failovers are two tables that nothing copies.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isshoni.environments.aws.api import AwsApi
from isshoni.rollout.model import COLOURS
from tests.support.aws.account import Account, make_account, make_variables
from tests.support.aws.api_front import name_operation, serve
from tests.support.aws.global_datastore import StandInDatastore
from tests.support.aws.installation import QUICK, write_program
from tests.support.aws.moto_server import aws_environment
from tests.support.aws.stand_in import StandIn
from tests.support.aws.tables import make_table
from tests.support.command import Ended, finish
from tests.support.valkey import ValkeyServer

REGIONS = FIRST, SECOND = "eu-west-1", "eu-central-1"
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/")

QUICK_REGIONS = QUICK | {"weights": [100], "bake_seconds": 0.2}
CONFIG = """
[environments.production]
kind = "aws"
terraform_program = "{program}"
name = "{name}"
look_seconds = 0.2

[environments.production.rollout]
{rollout}
"""
REGION_CONFIG = """
[environments.production.regions.{region}]
terraform = "{composition}"
url = "{url}"
"""


class RegionsFront:
    """The API of both regions: a request is for the region that it is signed for."""

    def __init__(self, stand_ins: Mapping[str, StandIn], datastore: StandInDatastore) -> None:
        self._stand_ins = stand_ins
        self._datastore = datastore
        self.lost: set[str] = set()
        """Regions whose API answers nothing."""
        self.calls: list[tuple[str, str]] = []
        self.url = ""

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        match = _SCOPE.search(request.headers.get("authorization", ""))
        region = match[1] if match else ""
        operation = name_operation(request, body)
        self.calls.append((region, operation))
        if region in self.lost:
            return Response(status_code=503)
        answered = await asyncio.to_thread(self._datastore.answer, operation, body)
        if answered is not None:
            return answered
        stand_in = self._stand_ins.get(region, self._stand_ins[FIRST])
        return await stand_in.front.answer(request)


@dataclass
class TwoRegions:
    """Runs `isshoni … -e production`, where AWS is a server on this machine."""

    directory: Path
    name: str
    accounts: Mapping[str, Account]
    stand_ins: Mapping[str, StandIn]
    datastore: StandInDatastore
    front: RegionsFront
    endpoint: str
    health_check: str

    @property
    def config_file(self) -> Path:
        return self.directory / "isshoni.toml"

    @property
    def environ(self) -> dict[str, str]:
        """What this process or a command needs in its environment."""
        return {**aws_environment(self.endpoint), "AWS_ENDPOINT_URL": self.front.url}

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        environ = {**os.environ, **self.environ, "ISSHONI_CONFIG": str(self.config_file)}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "isshoni.cli", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environ,
        )  # fmt: skip

    async def run(self, *words: str, environment: str = "production") -> Ended:
        return await finish(await self.start(*words, "-e", environment))

    async def up(self, version: str = "v1") -> None:
        """Start a version in both: the first serves, the second is its standby."""
        for region in REGIONS:
            ended = await self.run("up", version, environment=f"production.{region}")
            assert ended.code == 0, ended.err

    def write_config(self) -> None:
        rollout = "\n".join(f"{name} = {value}" for name, value in QUICK_REGIONS.items())
        program = write_program(self.directory)
        parts = [CONFIG.format(program=program, name=self.name, rollout=rollout)]
        for region, stand_in in self.stand_ins.items():
            folder = self.directory / region / "composition"
            parts.append(REGION_CONFIG.format(region=region, composition=folder, url=stand_in.url))
        self.config_file.write_text("".join(parts))


@contextlib.contextmanager
def two_regions_on_aws(directory: Path, endpoint: str, machines: int = 1) -> Iterator[TwoRegions]:
    """Make an account in both regions, with balancers and machines; nothing runs yet."""
    apis = {region: AwsApi(region, timeout_seconds=30.0) for region in REGIONS}
    accounts = _make_accounts(list(apis.values()))
    name = accounts[FIRST].name
    with contextlib.ExitStack() as stack:
        options = {"repl-diskless-sync-delay": "0"}  # by default a replica waits 5 s for others
        redis = {
            region: stack.enter_context(
                ValkeyServer(directory / region / "redis", fsync="no", options=options)
            )
            for region in REGIONS
        }
        stand_ins = {
            region: _make_stand_in(
                directory / region,
                apis[region],
                accounts[region],
                endpoint,
                redis[region],
                machines,
            )
            for region in REGIONS
        }
        for region, stand_in in stand_ins.items():
            (other,) = (its for name, its in stand_ins.items() if name != region)
            own = {"ISSHONI_REGION": region, "ISSHONI_REGION_ALTERNATIVES": other.url}
            stand_in.machines.variables = {**stand_in.machines.variables, **own}
        datastore = StandInDatastore(name, redis)
        front = RegionsFront(stand_ins, datastore)
        check = _make_shared(apis, name)
        for stand_in in stand_ins.values():
            stack.enter_context(stand_in.running())
        stack.enter_context(serve(front))
        made = TwoRegions(directory, name, accounts, stand_ins, datastore, front, endpoint, check)
        made.write_config()
        yield made


def _make_accounts(apis: Sequence[AwsApi]) -> dict[str, Account]:
    variables = make_variables()
    first = random.randint(2, 249)
    one = make_account(apis[0], network=first, variables=variables)
    two = make_account(apis[1], one.name, first + 1, variables)
    return {FIRST: one, SECOND: two}


def _make_stand_in(
    directory: Path,
    api: AwsApi,
    account: Account,
    endpoint: str,
    redis: ValkeyServer,
    machines: int,
) -> StandIn:
    composition = directory / "composition"
    for colour in COLOURS:
        (composition / colour).mkdir(parents=True)
    (composition / "account.json").write_text(account.write(machines))
    return StandIn(directory, api, account.outputs, endpoint, redis.url)


def _make_shared(apis: Mapping[str, AwsApi], name: str) -> str:
    """Make what the global part makes; return the id of the switch."""
    table = f"{name}-failover-journal"
    for api in apis.values():
        make_table(api, table)
    made = apis[FIRST].call_now(
        "route53",
        "create_health_check",
        CallerReference=name,
        HealthCheckConfig={
            "Type": "TCP",
            "FullyQualifiedDomainName": "eu-west-1.chat.example.com",
            "Port": 443,
            "Disabled": True,
        },
    )
    check: str = made["HealthCheck"]["Id"]
    shared: dict[str, Any] = {
        "regions": REGIONS,
        "public_url": "https://chat.example.com",
        "health_check_id": check,
        "journal_table": table,
        "failover_role_arn": f"arn:aws:iam::123456789012:role/{name}-failover",
    }
    for api in apis.values():
        api.call_now(
            "ssm", "put_parameter", Name=f"/{name}/regions", Type="String", Value=json.dumps(shared)
        )
    return check

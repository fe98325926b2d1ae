"""The Global Datastore of two regions: which member is its primary, and how to change that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.aws.remembered import Remembered, changing
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import Lag

_LAG_SECONDS = 30.0
"""CloudWatch has a value each minute."""
_LAG_PERIOD = 60
_LAG_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True)
class Datastore:
    """What ElastiCache reports of a Global Datastore."""

    id: str
    status: str
    roles: Mapping[str, str]
    """`PRIMARY` or `SECONDARY`, by region."""
    statuses: Mapping[str, str]
    """`associated` once a member belongs to it, by region."""

    @property
    def primary(self) -> str | None:
        """Return the region of its primary."""
        return next((name for name, role in self.roles.items() if role == "PRIMARY"), None)

    @property
    def is_changing(self) -> bool:
        """True while another primary is being made."""
        return self.status == "modifying"

    def is_linked(self, region: str) -> bool:
        """True if a region's member is a part of it that nothing is changing."""
        return self.statuses.get(region) == "associated" and not self.is_changing


class GlobalDatastore:
    """Asks the API of any of its regions; the one that answered last is asked first."""

    def __init__(self, apis: Mapping[str, AwsApi], group: str, look_seconds: float) -> None:
        """Create it for the replication groups called `group`, one in each region."""
        self._apis = apis
        self._group = group
        self._answering = next(iter(apis))
        self._seen = Remembered(self._look, look_seconds)
        self._lags = {
            name: Remembered(partial(self._read_lag, name), _LAG_SECONDS) for name in apis
        }

    async def observe(self) -> Datastore:
        """Return its state; raises `EnvironmentFault` if no region knows of it."""
        return await self._seen.get()

    async def _look(self) -> Datastore:
        order = sorted(self._apis, key=lambda name: name != self._answering)
        faults: list[EnvironmentFault] = []
        for name in order:
            try:
                found = await self._describe(name)
            except EnvironmentFault as fault:
                faults.append(fault)
                continue
            self._answering = name
            return found
        raise faults[0]

    async def _describe(self, region: str) -> Datastore:
        described = await self._apis[region].call_all(
            "elasticache",
            "describe_global_replication_groups",
            "GlobalReplicationGroups",
            ShowMemberInfo=True,
        )
        for each in described:
            members = [m for m in each["Members"] if m["ReplicationGroupId"] == self._group]
            if any(m["ReplicationGroupRegion"] == region for m in members):
                return _read(each, members)
        raise EnvironmentFault(
            f"no Global Datastore has a member {self._group} in {region}: `terraform apply` in "
            "multi-region/first makes it"
        )

    async def promote(self, region: str) -> None:
        """Request that a region's member becomes the primary. Idempotent; does not wait for it."""
        self._seen.forget()
        seen = await self.observe()
        if seen.primary == region or seen.is_changing:
            return
        with changing(self._seen):
            # Asked of the region that is to lead: the other one may be lost.
            await self._apis[region].call(
                "elasticache",
                "failover_global_replication_group",
                GlobalReplicationGroupId=seen.id,
                PrimaryRegion=region,
                PrimaryReplicationGroupId=self._group,
            )

    async def find_lag(self, region: str) -> Lag | None:
        """Return how far a region's member was behind, as CloudWatch last had it; or None."""
        try:
            return await self._lags[region].get()
        except AwsFault:
            return None

    async def _read_lag(self, region: str) -> Lag | None:
        api = self._apis[region]
        answer = await api.call(
            "elasticache", "describe_replication_groups", ReplicationGroupId=self._group
        )
        nodes = [node for group in answer["ReplicationGroups"] for node in group["MemberClusters"]]
        now = datetime.now(UTC)
        answer = await api.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=[_ask_for_lag(number, node) for number, node in enumerate(nodes)],
            StartTime=now - _LAG_WINDOW,
            EndTime=now,
        )
        last = [its["Values"][0] for its in answer["MetricDataResults"] if its["Values"]]
        return Lag("unknown", seconds=max(last)) if last else None


def _read(described: Answer, members: list[Answer]) -> Datastore:
    return Datastore(
        described["GlobalReplicationGroupId"],
        described["Status"],
        {m["ReplicationGroupRegion"]: m["Role"].upper() for m in members},
        {m["ReplicationGroupRegion"]: m["Status"] for m in members},
    )


def _ask_for_lag(number: int, node: str) -> Answer:
    metric = {
        "Namespace": "AWS/ElastiCache",
        "MetricName": "GlobalDatastoreReplicationLag",
        "Dimensions": [{"Name": "CacheClusterId", "Value": node}],
    }
    stat = {"Metric": metric, "Period": _LAG_PERIOD, "Stat": "Maximum"}
    return {"Id": f"m{number}", "MetricStat": stat}

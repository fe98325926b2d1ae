"""Close the load balancer of a lost region to clients, and open it again."""

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.remembered import Remembered, changing

_LOOK_SECONDS = 5.0
_OPEN = "0.0.0.0/0"
_CLOSED = "127.0.0.1/32"
"""No client has it. The rules are changed and not deleted, so that they stay Terraform's."""


class BalancerIngress:
    """The rules by which clients reach a region's load balancer."""

    def __init__(self, api: AwsApi, security_group_id: str) -> None:
        """Create it; without a `security_group_id` there is nothing to close."""
        self._api = api
        self._group = security_group_id
        self._seen = Remembered(self._look, _LOOK_SECONDS)

    async def is_closed(self) -> bool:
        """True if no client reaches the balancer; raises `AwsFault`."""
        rules = await self._seen.get()
        return bool(rules) and all(rule["CidrIpv4"] == _CLOSED for rule in rules)

    async def close(self) -> None:
        """Let no client in; connections that are open stay. Idempotent; raises `AwsFault`."""
        await self._change(_OPEN, _CLOSED)

    async def open(self) -> None:
        """Let clients in again. Idempotent; raises `AwsFault`."""
        await self._change(_CLOSED, _OPEN)

    async def _look(self) -> list[Answer]:
        if not self._group:
            return []
        answer = await self._api.call(
            "ec2",
            "describe_security_group_rules",
            Filters=[{"Name": "group-id", "Values": [self._group]}],
        )
        return [
            rule
            for rule in answer["SecurityGroupRules"]
            if not rule["IsEgress"] and rule.get("CidrIpv4") in (_OPEN, _CLOSED)
        ]

    async def _change(self, old: str, new: str) -> None:
        self._seen.forget()
        changed = [
            {
                "SecurityGroupRuleId": rule["SecurityGroupRuleId"],
                "SecurityGroupRule": {
                    "IpProtocol": rule["IpProtocol"],
                    "FromPort": rule["FromPort"],
                    "ToPort": rule["ToPort"],
                    "CidrIpv4": new,
                    "Description": rule.get("Description", ""),
                },
            }
            for rule in await self._seen.get()
            if rule["CidrIpv4"] == old
        ]
        if changed:
            with changing(self._seen):
                await self._api.call(
                    "ec2",
                    "modify_security_group_rules",
                    GroupId=self._group,
                    SecurityGroupRules=changed,
                )

"""What Terraform makes, made by hand and fast: for tests of the engine without Terraform.

Every VPC lies in 127.0.0.0/8, so that an instance's private address is one of this
machine's own: a process that listens there is that instance.
"""

import json
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isshoni.environments.aws.api import AwsApi
from isshoni.rollout.model import COLOURS
from tests.support.aws.tables import make_table

BACKEND_PORT, ADMIN_PORT = 9001, 9101


@dataclass(frozen=True)
class Account:
    """An account with everything in it but machines."""

    name: str
    outputs: Mapping[str, Any]
    subnets: tuple[str, ...]
    image: str

    def write(self, machines: int) -> str:
        """Write it down for the stand-in of Terraform, which makes so many of a colour."""
        return json.dumps(
            {
                "name": self.name,
                "outputs": self.outputs,
                "subnets": self.subnets,
                "image": self.image,
                "machines": machines,
            }
        )


def make_account(
    api: AwsApi, name: str = "", network: int = 0, variables: Mapping[str, str] | None = None
) -> Account:
    """Make network, balancer, target groups, rules, secret, topic, logs, journal and parameter.

    `network`: the second number of its addresses; 0: any.
    """
    name = name or f"t{secrets.token_hex(4)}"
    vpc, subnets = _make_network(api, network or random.randint(2, 250))
    groups = {colour: _make_target_group(api, f"{name}-{colour}", vpc) for colour in COLOURS}
    balancer = api.call_now("elbv2", "create_load_balancer", Name=name, Subnets=subnets)
    listener = _make_listener(api, balancer["LoadBalancers"][0]["LoadBalancerArn"], groups)
    outputs = {
        "region": api.region,
        "public_url": "https://chat.example.com",
        "admin_port": ADMIN_PORT,
        "alb_dns_name": balancer["LoadBalancers"][0]["DNSName"],
        "listener_arn": listener,
        "target_rule_arns": {c: _make_rule(api, listener, c, groups[c]) for c in COLOURS},
        "target_group_arns": groups,
        "autoscaling_group_names": {colour: f"{name}-{colour}" for colour in COLOURS},
        "clusters": {colour: _make_cluster(api, f"{name}-{colour}") for colour in COLOURS},
        "log_groups": {colour: _make_log_group(api, name, colour) for colour in COLOURS},
        "journal_table": make_table(api),
        "load_balancer_group_id": _make_ingress(api, name, vpc),
        "backend_secret": _make_secret(api, name, variables or make_variables()),
        "redis_secret": _make_redis_secret(api, name),
        "sns_topic_arn": api.call_now("sns", "create_topic", Name=f"{name}-alerts")["TopicArn"],
        "alarm_names": [
            _make_alarm(api, f"{name}-5xx"),
            *(_make_alarm(api, f"{name}-5xx-{colour}", colour) for colour in COLOURS),
        ],
    }
    api.call_now(
        "ssm", "put_parameter", Name=f"/{name}/engine", Type="String", Value=json.dumps(outputs)
    )
    return Account(name, outputs, tuple(subnets), "ami-12c6146b")


def _make_network(api: AwsApi, second: int) -> tuple[str, list[str]]:
    made = api.call_now("ec2", "create_vpc", CidrBlock=f"127.{second}.0.0/16")
    vpc = made["Vpc"]["VpcId"]
    subnets = [
        api.call_now(
            "ec2",
            "create_subnet",
            VpcId=vpc,
            CidrBlock=f"127.{second}.{number}.0/24",
            AvailabilityZone=f"{api.region}{zone}",
        )["Subnet"]["SubnetId"]
        for number, zone in enumerate("ab", start=1)
    ]
    return vpc, subnets


def _make_target_group(api: AwsApi, name: str, vpc: str) -> str:
    made = api.call_now(
        "elbv2",
        "create_target_group",
        Name=name,
        Protocol="HTTP",
        Port=BACKEND_PORT,
        VpcId=vpc,
        HealthCheckPath="/readyz",
    )
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    return arn


def _make_listener(api: AwsApi, balancer: str, groups: Mapping[Any, str]) -> str:
    shares = [
        {"TargetGroupArn": groups["blue"], "Weight": 100},
        {"TargetGroupArn": groups["green"], "Weight": 0},
    ]
    made = api.call_now(
        "elbv2",
        "create_listener",
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}],
    )
    arn: str = made["Listeners"][0]["ListenerArn"]
    return arn


def _make_rule(api: AwsApi, listener: str, colour: str, group: str) -> str:
    wanted = {"Values": [{"Key": "target", "Value": colour}]}
    made = api.call_now(
        "elbv2",
        "create_rule",
        ListenerArn=listener,
        Priority=10 + COLOURS.index(colour),
        Conditions=[{"Field": "query-string", "QueryStringConfig": wanted}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    arn: str = made["Rules"][0]["RuleArn"]
    return arn


def _make_log_group(api: AwsApi, name: str, colour: str) -> str:
    group = f"/aws/ecs/{name}-{colour}"
    api.call_now("logs", "create_log_group", logGroupName=group)
    return group


def _make_ingress(api: AwsApi, name: str, vpc: str) -> str:
    """Make the load balancer's security group, which lets clients in."""
    made = api.call_now("ec2", "create_security_group", GroupName=name, Description="-", VpcId=vpc)
    group: str = made["GroupId"]
    allowed = [
        {
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "Users"}],
        }
        for port in (80, 443)
    ]
    api.call_now("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=allowed)
    return group


def make_variables() -> dict[str, str]:
    """Make the variables of the backends' secret."""
    return {
        "ISSHONI_ADMIN_TOKEN": secrets.token_urlsafe(32),
        "ISSHONI_TICKET_SECRET": secrets.token_urlsafe(32),
        "ISSHONI_LOG_SECRET": secrets.token_urlsafe(32),
    }


def _make_secret(api: AwsApi, name: str, variables: Mapping[str, str]) -> str:
    secret = f"{name}/backend"
    api.call_now("secretsmanager", "create_secret", Name=secret, SecretString=json.dumps(variables))
    return secret


def _make_redis_secret(api: AwsApi, name: str) -> str:
    secret = f"{name}/redis"
    api.call_now("secretsmanager", "create_secret", Name=secret, SecretString="a-token")
    return secret


def _make_cluster(api: AwsApi, name: str) -> str:
    api.call_now("ecs", "create_cluster", clusterName=name)
    return name


def _make_alarm(api: AwsApi, name: str, colour: str | None = None) -> str:
    api.call_now(
        "cloudwatch",
        "put_metric_alarm",
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[{"Name": "Colour", "Value": colour}] if colour else [],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name

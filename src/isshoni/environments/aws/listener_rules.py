"""Check the listener's rules by which a moving client reaches the slot that it names."""

from typing import Any

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.errors import RuleFault
from isshoni.environments.aws.outputs import Outputs
from isshoni.rollout.model import COLOURS


async def check_target_rules(api: AwsApi, outputs: Outputs) -> None:
    """Raise `RuleFault` unless `?target=` leads to its slot only."""
    for colour in COLOURS:
        arn = outputs.target_rule_arns.of(colour)
        answer = await api.call("elbv2", "describe_rules", RuleArns=[arn])
        if not _sends_to(answer["Rules"][0], outputs.target_group_arns.of(colour)):
            raise RuleFault(colour, arn)


def _sends_to(rule: dict[str, Any], target_group_arn: str) -> bool:
    forwards = [action for action in rule["Actions"] if action["Type"] == "forward"]
    arns = {
        share["TargetGroupArn"]
        for action in forwards
        for share in (action.get("ForwardConfig", {}).get("TargetGroups") or [action])
    }
    return arns == {target_group_arn}

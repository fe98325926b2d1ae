"""What a description of a CloudWatch alarm says about a slot."""

import pytest

from isshoni.environments.aws.alarms import read_alarm
from isshoni.environments.aws.outputs import ByColour, Outputs
from isshoni.rollout.model import Colour

GROUPS = ByColour(
    "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a-blue/1",
    "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a-green/2",
)
OUTPUTS = Outputs("eu-west-1", "https://a", "l", GROUPS, GROUPS, GROUPS, GROUPS, "t", "s", "topic")
BLUE = {"Name": "TargetGroup", "Value": "targetgroup/a-blue/1"}
GREEN = {"Name": "TargetGroup", "Value": "targetgroup/a-green/2"}
BALANCER = {"Name": "LoadBalancer", "Value": "app/a/1"}


def query(*dimensions: dict[str, str]) -> dict[str, object]:
    metric = {"MetricName": "RequestCount", "Dimensions": list(dimensions)}
    return {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}


EXPRESSION: dict[str, object] = {"Id": "e", "Expression": "100 * failed / requests"}


@pytest.mark.parametrize(
    ("described", "colour"),
    [
        ({"Dimensions": [BALANCER, GREEN]}, "green"),
        ({"Dimensions": [{"Name": "Colour", "Value": "blue"}]}, "blue"),
        ({"Dimensions": [{"Name": "CacheClusterId", "Value": "green"}]}, None),
        ({"Metrics": [EXPRESSION, query(BALANCER, BLUE), query(BALANCER, BLUE)]}, "blue"),
        ({"Metrics": [EXPRESSION, query(BALANCER, BLUE), query(BALANCER, GREEN)]}, None),
        ({"Metrics": [EXPRESSION, query(BALANCER, BLUE), query(BALANCER)]}, None),
        ({"AlarmRule": "ALARM(a)"}, None),
    ],
)
def test_alarm_is_about_a_slot_if_all_its_metrics_are(
    described: dict[str, object], colour: Colour | None
) -> None:
    assert read_alarm({"AlarmName": "a", **described}, OUTPUTS).colour == colour


def test_alarm_looks_back_over_its_periods() -> None:
    plain = {"AlarmName": "a", "Period": 60, "EvaluationPeriods": 5}
    assert read_alarm(plain, OUTPUTS).window_seconds == 300.0
    math = {"AlarmName": "a", "EvaluationPeriods": 2, "Metrics": [EXPRESSION, query(BLUE)]}
    assert read_alarm(math, OUTPUTS).window_seconds == 120.0


@pytest.mark.parametrize("data", [None, "", "no JSON", "[]", "{}", '{"startDate": 3}'])
def test_alarm_without_a_readable_reason_does_not_say_when_its_figures_begin(
    data: str | None,
) -> None:
    assert read_alarm({"AlarmName": "a", "StateReasonData": data}, OUTPUTS).figures_from is None

"""The adapters of CloudWatch, SNS and DynamoDB against a server of the AWS API."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from isshoni.engine.errors import JournalFault, LeaseHeld
from isshoni.engine.lease import Holder, describe_self
from isshoni.engine.notifications import Message, NotificationFault
from isshoni.environments.aws.alarms import CloudWatchAlarms
from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.cloudwatch_logs import CloudWatchLogs
from isshoni.environments.aws.dynamo_journal import DynamoJournal
from isshoni.environments.aws.errors import CredentialsFault, ThrottledFault
from isshoni.environments.aws.outputs import ByColour, Outputs
from isshoni.environments.aws.shared_clock import SharedClock
from isshoni.environments.aws.sns import SnsNotifier
from isshoni.rollout.model import FiringAlarm
from tests.support.aws.api_front import ApiFront, Fault, serve
from tests.support.aws.moto_server import REGION
from tests.support.aws.tables import make_table

NONE = ByColour("none", "none")


def make_outputs(**changes: object) -> Outputs:
    made = Outputs("eu-west-1", "https://a", "l", NONE, NONE, NONE, NONE, "table", "s", "topic")
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def front(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiFront]:
    """Give a front of the server that can be told to fail."""
    made = ApiFront(aws_endpoint, lambda group: {}, lambda: None)
    with serve(made):
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        yield made


def test_throttled_calls_are_repeated_until_they_get_through(front: ApiFront) -> None:
    front.faults.append(Fault("DescribeAutoScalingGroups", "Throttling", times=2))
    api = AwsApi(REGION, timeout_seconds=30.0)
    answer = api.call_now("autoscaling", "describe_auto_scaling_groups")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_what_never_gets_through_says_so(front: ApiFront) -> None:
    front.faults.append(Fault("DescribeAutoScalingGroups", "Throttling", times=99))
    with pytest.raises(ThrottledFault, match="look_seconds"):
        AwsApi(REGION, attempts=2, timeout_seconds=30.0).call_now(
            "autoscaling", "describe_auto_scaling_groups"
        )


def test_expired_credentials_are_not_tried_again(front: ApiFront) -> None:
    front.faults.append(Fault("DescribeListeners", "ExpiredToken", status=403, times=99))
    with pytest.raises(CredentialsFault, match="sign in again"):
        AwsApi(REGION, timeout_seconds=30.0).call_now(
            "elbv2", "describe_listeners", ListenerArns=["x"]
        )
    assert front.calls.count("DescribeListeners") == 1


def test_a_journal_that_is_throttled_away_is_a_fault_of_the_journal(front: ApiFront) -> None:
    front.faults.append(Fault("GetItem", "ThrottlingException", times=99))
    journal = DynamoJournal(AwsApi(REGION, attempts=1, timeout_seconds=30.0), "any")
    with pytest.raises(JournalFault, match="ThrottlingException"):
        journal.read_stable()


@pytest.mark.spec("C7")
def test_a_clock_that_is_an_hour_fast_takes_no_lease_that_is_held(aws_api: AwsApi) -> None:
    table = make_table(aws_api)
    here = DynamoJournal(aws_api, table)
    fast = DynamoJournal(aws_api, table, SharedClock(lambda: time.time() + 3600))
    now = time.time()
    here.take_lease(elsewhere(now), now=now, ttl_seconds=60)
    with pytest.raises(LeaseHeld):
        fast.take_lease(describe_self("deploy", now), now=now + 3600, ttl_seconds=60)


@pytest.mark.spec("C7")
def test_of_two_engines_that_saw_a_lease_expire_one_acquires_it(aws_api: AwsApi) -> None:
    table, now = make_table(aws_api), time.time()
    first, second = (DynamoJournal(aws_api, table) for _ in range(2))
    taken = first.take_lease(elsewhere(now), now=now - 60, ttl_seconds=5)
    after = second.take_lease(describe_self("deploy", now), now=now, ttl_seconds=5)
    assert after.epoch == taken.epoch + 1
    with pytest.raises(LeaseHeld, match="process"):
        first.take_lease(elsewhere(now), now=now, ttl_seconds=5)


def elsewhere(now: float) -> Holder:
    return replace(describe_self("deploy v2", now), host="elsewhere")


async def test_firing_alarms_are_named(aws_api: AwsApi) -> None:
    for name in ("quiet", "loud"):
        aws_api.call_now(
            "cloudwatch", "put_metric_alarm", AlarmName=name, EvaluationPeriods=2, Period=60,
            Namespace="N", MetricName="M", Statistic="Sum", Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
            Dimensions=[{"Name": "TargetGroup", "Value": "targetgroup/blue/1"}],
        )  # fmt: skip
    aws_api.call_now(
        "cloudwatch", "set_alarm_state", AlarmName="loud", StateValue="ALARM", StateReason="test",
        StateReasonData='{"version":"1.0","startDate":"2026-11-25T10:00:00.000+0000"}',
    )  # fmt: skip
    outputs = make_outputs(
        alarm_names=("quiet", "loud", "gone"),
        target_group_arns=ByColour("arn:aws:e:r:1:targetgroup/blue/1", "arn:targetgroup/green/2"),
    )
    at = datetime(2026, 11, 25, 10, tzinfo=UTC).timestamp()
    expected = {FiringAlarm("loud", "blue", at, 120.0)}
    assert await CloudWatchAlarms(aws_api, outputs).observe_firing() == expected


async def test_logs_of_all_machines_come_in_order_and_are_followed(aws_api: AwsApi) -> None:
    group = f"/logs/{time.time_ns()}"
    aws_api.call_now("logs", "create_log_group", logGroupName=group)

    def write(machine: str, line: str, ago_seconds: float) -> None:
        at = int((time.time() - ago_seconds) * 1000)
        aws_api.call_now(
            "logs", "put_log_events", logGroupName=group, logStreamName=machine,
            logEvents=[{"timestamp": at, "message": line}],
        )  # fmt: skip

    for machine in ("i-1", "i-2"):
        aws_api.call_now("logs", "create_log_stream", logGroupName=group, logStreamName=machine)
    for number, ago in enumerate((60, 50, 40)):
        write(f"i-{number % 2 + 1}", f"line {number}", ago)
    logs = CloudWatchLogs(aws_api, make_outputs(log_groups=ByColour(group, group)))
    assert await logs.tail("blue", 2) == ["line 1", "line 2"]
    assert await logs.tail("blue", 0) == []
    following = logs.follow("blue")
    coming = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    write("i-1", "news", -1.0)
    assert await asyncio.wait_for(coming, 30.0) == "news"


async def test_a_message_is_published_on_the_topic(aws_api: AwsApi) -> None:
    topic = aws_api.call_now("sns", "create_topic", Name="alerts")["TopicArn"]
    queue = aws_api.call_now("sqs", "create_queue", QueueName="ears")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:123456789012:ears"
    aws_api.call_now("sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn)
    notifier = SnsNotifier(aws_api, topic)
    await notifier.send(Message("rollback", "v2 → back", "it was bad", good=False))
    heard = aws_api.call_now("sqs", "receive_message", QueueUrl=queue)["Messages"][0]
    told = json.loads(heard["Body"])
    assert (told["Subject"], "it was bad" in told["Message"]) == ("v2 ? back", True)
    assert told["MessageAttributes"]["kind"]["Value"] == "bad"


async def test_a_topic_that_is_gone_is_a_notification_fault(aws_api: AwsApi) -> None:
    notifier = SnsNotifier(aws_api, f"arn:aws:sns:{REGION}:123456789012:gone")
    with pytest.raises(NotificationFault, match="NotFound"):
        await notifier.send(Message("start", "a", "b"))

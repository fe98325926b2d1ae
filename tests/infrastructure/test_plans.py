"""What the compositions would make, told from their plans; nothing is made."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import pytest

from tests.infrastructure.conftest import MakeComposition
from tests.support.terraform.checks import CHECKS, Check
from tests.support.terraform.composition import COMPOSITIONS, GROUNDS, INFRASTRUCTURE, SLOTS
from tests.support.terraform.plan import Plan, statements
from tests.support.terraform.program import run_terraform
from tests.support.terraform.region_checks import find_proven

pytestmark = pytest.mark.timeout(300)


def test_everything_is_formatted() -> None:
    done = run_terraform(["fmt", "-check", "-recursive", "-diff"], INFRASTRUCTURE, {})
    assert done.code == 0, done.out


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("plan", COMPOSITIONS, indirect=True)
@pytest.mark.spec("D1")
def test_nothing_is_amiss(plan: Plan, check: Check) -> None:
    assert check(plan) == []


@pytest.mark.parametrize("plan", COMPOSITIONS, indirect=True)
@pytest.mark.spec("D2")
def test_the_ground_has_no_machines(plan: Plan) -> None:
    assert plan.of_type("aws_autoscaling_group", "aws_launch_template") == []


def test_the_log_groups_are_where_people_look_for_them(plan: Plan) -> None:
    names = {r.values["name"] for r in plan.of_type("aws_cloudwatch_log_group")}
    assert names == {"/aws/ecs/isshoni-blue", "/aws/ecs/isshoni-green"}


@pytest.mark.spec("C3", "D1")
def test_the_alarms_watch_what_hurts_people(plan: Plan) -> None:
    alarms = {r.values["alarm_name"]: r.values for r in plan.of_type("aws_cloudwatch_metric_alarm")}
    assert alarms["isshoni-5xx-over-target"]["threshold"] == 0.1
    assert alarms["isshoni-5xx-critical"]["threshold"] == 1
    expected = {"isshoni-no-connections", "isshoni-unhealthy-targets-blue", "isshoni-5xx-blue"}
    nodes = [f"isshoni-{shard:04d}-{node:03d}" for shard in (1, 2) for node in (1, 2, 3)]
    expected |= {f"isshoni-redis-memory-{node}" for node in nodes}
    expected |= {f"isshoni-redis-replication-lag-{node}" for node in nodes}
    assert expected <= set(alarms)


@pytest.mark.parametrize("plan", ["staging"], indirect=True)
def test_runner_and_workflows_are_made_only_on_request(plan: Plan) -> None:
    assert plan.of_type("aws_instance", "aws_ssm_document", "aws_iam_openid_connect_provider") == []


def test_workflow_may_ask_only_the_runner_for_a_deploy_by_its_document(plan: Plan) -> None:
    policy = plan.get("module.github[0].aws_iam_role_policy.ask").values["policy"]
    allowed = {action for it in statements(policy) for action in _as_list(it["Action"])}
    assert allowed == {"ssm:SendCommand", "ssm:GetCommandInvocation"}
    runner = plan.get("module.runner[0].aws_iam_role_policy.runner").values["policy"]
    (assumed,) = [it for it in statements(runner) if it["Action"] == "sts:AssumeRole"]
    assert assumed["Resource"] == "arn:aws:iam::123456789012:role/isshoni-deployer-eu-west-1"


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("plan", ["multi-region/global"], indirect=True)
@pytest.mark.spec("D3")
def test_two_regions_share_secrets_the_journal_of_failovers_and_one_switch(plan: Plan) -> None:
    for secret in plan.of_type("aws_secretsmanager_secret"):
        assert [replica["region"] for replica in secret.values["replica"]] == ["eu-central-1"]
    (journal,) = plan.of_type("aws_dynamodb_table")
    assert [replica["region_name"] for replica in journal.values["replica"]] == ["eu-central-1"]
    leads = {
        record.values["failover_routing_policy"][0]["type"]: record.values["records"]
        for record in plan.of_type("aws_route53_record")
        if record.values["failover_routing_policy"]
    }
    assert leads == {
        "PRIMARY": ["eu-west-1.chat.example.com"],
        "SECONDARY": ["eu-central-1.chat.example.com"],
    }
    policy = plan.get("module.failover.aws_iam_role_policy.failover").values["policy"]
    (promote,) = [it for it in statements(policy) if it.get("Sid") == "PromoteRedis"]
    assert promote["Action"] == "elasticache:FailoverGlobalReplicationGroup"
    assert set(promote["Resource"]) == {
        "arn:aws:elasticache::123456789012:globalreplicationgroup:?????-isshoni",
        "arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:isshoni",
        "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:isshoni",
    }


@pytest.mark.parametrize("plan", ["multi-region/second"], indirect=True)
@pytest.mark.spec("D3")
def test_redis_of_the_second_region_follows_by_a_literal_id(plan: Plan) -> None:
    redis = plan.get("aws_elasticache_replication_group.this[0]")
    assert redis.values["global_replication_group_id"] == "sgaui-isshoni"
    assert plan.of_type("aws_elasticache_parameter_group") == []
    policy = plan.get("module.deployer.aws_iam_role_policy.deploy").values["policy"]
    assert "isshoni-state-replica-123456789012/multi-region/second/blue.tfstate" in policy


@pytest.mark.spec("D3")
def test_each_name_is_proven_to_acm_by_one_state(planned: Mapping[str, Future[Plan]]) -> None:
    parts = ("global", "first", "second")
    plans = [planned[f"multi-region/{part}"].result() for part in parts]
    assert [find_proven(plan) for plan in plans] == [
        {"chat.example.com"},
        {"eu-west-1.chat.example.com"},
        {"eu-central-1.chat.example.com"},
    ]
    both = {"chat.example.com", "eu-west-1.chat.example.com"}
    assert find_proven(planned["production"].result()) == both


@pytest.mark.parametrize("plan", ["multi-region/first"], indirect=True)
@pytest.mark.spec("D3")
def test_deployer_of_one_region_may_be_that_of_the_other_and_nothing_more(plan: Plan) -> None:
    deployers = "arn:aws:iam::123456789012:role/isshoni-deployer-*"
    look = plan.get("module.deployer.aws_iam_role_policy.look").values["policy"]
    assumed = [it for it in statements(look) if it["Action"] == "sts:AssumeRole"]
    failover = "arn:aws:iam::123456789012:role/isshoni-failover"
    assert [it["Resource"] for it in assumed] == [failover, deployers]
    role = plan.get("module.deployer.aws_iam_role.deployer").values
    (trusted,) = [it for it in statements(role["assume_role_policy"]) if "Condition" in it]
    assert trusted["Condition"] == {"ArnLike": {"aws:PrincipalArn": deployers}}


@pytest.mark.spec("D3")
def test_two_regions_make_no_name_of_the_account_twice(
    planned: Mapping[str, Future[Plan]],
) -> None:
    ours, theirs, shared = (
        set(_list_global_names(planned[f"multi-region/{part}"].result()))
        for part in ("first", "second", "global")
    )
    assert len(ours) > 5
    assert (ours & theirs, ours & shared, theirs & shared) == (set(), set(), set())


def _list_global_names(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what all regions of an account share the names of."""
    for kind, attribute in {
        "aws_cloudwatch_dashboard": "dashboard_name",
        "aws_iam_instance_profile": "name",
        "aws_iam_role": "name",
        "aws_route53_record": "name",
        "aws_s3_bucket": "bucket",
    }.items():
        for resource in plan.of_type(kind):
            if name := resource.values.get(attribute):
                yield kind, f"{name} {resource.values.get('set_identifier') or ''}"


@pytest.mark.spec("D3")
def test_every_state_is_locked_and_has_a_key_of_its_own() -> None:
    keys = {}
    for name in (*GROUNDS, *SLOTS):
        written = (INFRASTRUCTURE / "compositions" / name / "versions.tf").read_text()
        assert "use_lockfile = true" in written
        keys[name] = re.findall(r'^ +key += "(.+)"$', written, re.MULTILINE)
    assert keys == {
        **{name: [f"{name}/ground.tfstate"] for name in GROUNDS},
        **{name: [f"{name}.tfstate"] for name in SLOTS},
    }


@pytest.mark.parametrize(
    "name", ["bootstrap", "multi-region/global", "multi-region/second/green", "production"]
)
def test_the_code_is_valid_as_it_is(name: str, make_composition: MakeComposition) -> None:
    """Between them these use every module."""
    composition = make_composition(name)
    for override in composition.tree.rglob("test_override.tf"):
        override.unlink()
    composition.must("validate", "-no-color")

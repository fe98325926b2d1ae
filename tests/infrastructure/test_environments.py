"""What an environment may choose: Redis's engine, processors, and an account that it shares."""

from collections.abc import Iterator

import pytest

from tests.infrastructure.conftest import MakeComposition
from tests.support.terraform.plan import Plan

pytestmark = pytest.mark.timeout(300)

_NAMES = (
    "name", "bucket", "alarm_name", "dashboard_name", "replication_group_id",
)  # fmt: skip
"""Attributes that must differ from those of every other resource of the account."""
_SCOPED = {"aws_route53_record", "aws_iam_role_policy"}
"""Named by the domain, or inside of a role."""


@pytest.fixture(scope="module")
def guest(make_composition: MakeComposition) -> Plan:
    """Plan staging in the account of production, on Graviton and Valkey."""
    return make_composition(
        "staging",
        name="isshoni-staging",
        bootstrap_name="isshoni",
        architecture="arm64",
        instance_type="t4g.small",
        redis_engine="valkey",
        redis_wait="required",
    ).plan()


def test_two_environments_of_an_account_share_no_name(plan: Plan, guest: Plan) -> None:
    ours, theirs = set(_list_names(plan)), set(_list_names(guest))
    assert len(ours) > 20
    assert ours & theirs == set()


def test_an_environment_uses_the_bootstrap_that_it_names(guest: Plan) -> None:
    policy = guest.get("module.deployer.aws_iam_role_policy.deploy").values["policy"]
    assert "arn:aws:s3:::isshoni-state-123456789012/staging/blue.tfstate*" in policy
    assert "alias/isshoni-state" in policy
    assert "isshoni-staging-state" not in policy


def test_the_parameters_of_redis_are_of_its_engine(guest: Plan) -> None:
    redis = guest.get("aws_elasticache_replication_group.this[0]").values
    assert (redis["engine"], redis["engine_version"]) == ("valkey", "8.0")
    assert redis["parameter_group_name"] == "isshoni-staging-valkey8"
    assert guest.get('aws_elasticache_parameter_group.this["valkey"]').values["family"] == "valkey8"


def test_a_final_snapshot_has_a_name_of_its_own(guest: Plan) -> None:
    redis = guest.get("aws_elasticache_replication_group.this[0]")
    assert redis.unknown.get("final_snapshot_identifier"), "made once, when the group is made"
    name = guest.get("module.redis.terraform_data.final_snapshot").values["input"]
    assert name.startswith("isshoni-staging-final-20")


def test_a_choice_that_cannot_work_is_refused(make_composition: MakeComposition) -> None:
    composition = make_composition("staging")
    composition.write_variables()
    wrong = ("architecture=arm64", "redis_wait=sometimes")
    words = [f"-var={choice}" for choice in wrong]
    done = composition.run("plan", "-input=false", "-no-color", *words)
    assert done.code == 1
    said = " ".join(done.err.replace("│", " ").split())
    assert "t3.small is not a machine with arm64" in said
    assert "redis.wait is required, best-effort or off" in said


def _list_names(plan: Plan) -> Iterator[tuple[str, str]]:
    for resource in plan.resources:
        kind = next(part for part in resource.address.split(".") if "_" in part).split("[")[0]
        for attribute in _NAMES:
            value = resource.values.get(attribute)
            if isinstance(value, str) and kind not in _SCOPED:
                yield f"{kind}.{attribute}", value

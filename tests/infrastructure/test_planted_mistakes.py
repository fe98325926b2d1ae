"""Each check of the plans sees what it is for: mistakes planted in them, and in the code itself."""

from pathlib import Path

import pytest

from tests.infrastructure.conftest import MakeComposition
from tests.infrastructure.mistakes import MACHINE_MISTAKES, MISTAKES, STATE_MISTAKES, Mistake
from tests.infrastructure.region_mistakes import REGION_MISTAKES
from tests.support.terraform.checks import CHECKS, Check
from tests.support.terraform.plan import Plan

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(("check", "mistake"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_plan_is_seen(plan: Plan, check: Check, mistake: Mistake) -> None:
    spoilt = plan.copy()
    mistake(spoilt)
    assert check(plan) == []
    assert check(spoilt) != []


@pytest.mark.parametrize(("check", "mistake"), STATE_MISTAKES.values(), ids=STATE_MISTAKES)
@pytest.mark.parametrize("plan", ["bootstrap"], indirect=True)
def test_a_mistake_about_the_state_is_seen(plan: Plan, check: Check, mistake: Mistake) -> None:
    spoilt = plan.copy()
    mistake(spoilt)
    assert check(spoilt) != []


@pytest.mark.parametrize(
    ("plan", "check", "mistake"), REGION_MISTAKES.values(), ids=REGION_MISTAKES, indirect=["plan"]
)
def test_a_mistake_about_two_regions_is_seen(plan: Plan, check: Check, mistake: Mistake) -> None:
    spoilt = plan.copy()
    mistake(spoilt)
    assert check(plan) == []
    assert check(spoilt) != []


def test_every_check_has_a_mistake_that_it_sees() -> None:
    planted = MISTAKES | STATE_MISTAKES | MACHINE_MISTAKES
    seen = {check for check, _ in planted.values()}
    seen |= {check for _, check, _ in REGION_MISTAKES.values()}
    assert seen == set(CHECKS)


SLIPS = {
    "load_balancer/main.tf": [
        ('var.target_group == "blue" ? 100 : 0', 'var.target_group == "blue" ? 90 : 0'),
        ("enabled = false\n    type", "enabled = true\n    type"),
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-2016-08"),
        ("= var.idle_timeout_seconds", "= 200"),
        ("access_logs {\n    enabled = true", "access_logs {\n    enabled = false"),
    ],
    "security/main.tf": [
        (
            'description                  = "The backends"\n'
            "  referenced_security_group_id = aws_security_group.backend.id",
            'cidr_ipv4 = "0.0.0.0/0"',
        ),
    ],
    "redis/main.tf": [
        (
            "transit_encryption_enabled = var.secondary ? null : true",
            "transit_encryption_enabled = false",
        ),
        ("auth_token                 = var.secondary ? null : var.auth_token", ""),
        ('value = "noeviction"', 'value = "allkeys-lru"'),
    ],
    "region/main.tf": [("module.network.private_subnet_ids", "module.network.public_subnet_ids")],
    "observability/alarms.tf": [
        ("alarm_actions       = [aws_sns_topic.alerts.arn]", ""),
        ("answers >= ${local.least_answers} AND bad >= ${local.least_errors}", "answers > 0"),
        ("-unhealthy-targets-${each.key}", "-sick-${each.key}"),
        ("-sick-target", "-unwell"),
        ("EngineCPUUtilization", "CPUUtilization"),
        ('WritesShortOfReplicas"', 'RedisErrors"'),
    ],
    "observability/redis_events.tf": [
        (
            'name = "${var.name}-redis"',
            'name = "${var.name}-redis"\n kms_master_key_id = "alias/aws/sns"',
        ),
    ],
    "dns/main.tf": [("evaluate_target_health = false", "evaluate_target_health = true")],
    "identity/main.tf": [('["secretsmanager:GetSecretValue"]', '["*"]')],
}
"""Slips of the pen in the modules, that Terraform itself has nothing against."""


def test_slips_in_the_code_are_seen(make_composition: MakeComposition) -> None:
    composition = make_composition("staging")
    for file, slips in SLIPS.items():
        for right, wrong in slips:
            _replace(composition.tree / "modules" / file, right, wrong)
    plan = composition.plan()
    # The plan of a ground has neither the state's bucket nor machines and their tasks.
    blind = {"check_state", "check_secrets", "check_machines", "check_own_metrics"}
    blind |= {"check_global_datastore", "check_pair_alarms", "check_peering"}
    blind |= {"check_runner", "check_runner_command", "check_workflow_trust"}
    blind |= {"check_containers", "check_container_secrets", "check_services"}
    assert {check.__name__ for check in CHECKS if not check(plan)} == blind


def _replace(file: Path, right: str, wrong: str) -> None:
    text = file.read_text()
    assert right in text, f"{file.name} has no {right!r}"
    file.write_text(text.replace(right, wrong))

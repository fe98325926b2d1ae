"""What AWS and Terraform say, put so that a person can act on it."""

import builtins
from typing import Any

import botocore.exceptions as theirs
import pytest

from isshoni.environments.aws.api import AwsApi, translated
from isshoni.environments.aws.errors import (
    AccessFault,
    AwsFault,
    ConditionFailed,
    ConflictFault,
    CredentialsFault,
    MissingExtra,
    NotThere,
    ThrottledFault,
    UnreachableFault,
    explain_terraform,
    translate_answer,
)

LOCKED = """
│ Error: Error acquiring the state lock
│
│ Lock Info:
│   ID:        1b2c3d
│   Path:      bucket/terraform.tfstate
│   Operation: OperationTypeApply
│   Who:       ann@laptop
"""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredToken", CredentialsFault),
        ("UnrecognizedClientException", CredentialsFault),
        ("AccessDenied", AccessFault),
        ("Throttling", ThrottledFault),
        ("ListenerNotFound", NotThere),
        ("TransactionConflictException", ConflictFault),
        ("SomethingNew", AwsFault),
    ],
)
def test_an_answer_becomes_a_fault_that_says_what_to_do(code: str, kind: type[AwsFault]) -> None:
    fault = translate_answer("elbv2 modify_listener", {"Error": {"Code": code, "Message": "no"}})
    assert type(fault) is kind
    assert "elbv2 modify_listener" in str(fault)
    assert code in str(fault)
    assert fault.advice in str(fault)


def test_a_failed_transaction_says_which_part_failed() -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]
    error = {"Code": "TransactionCanceledException", "Message": "cancelled"}
    fault = translate_answer("dynamodb", {"Error": error, "CancellationReasons": reasons})
    assert isinstance(fault, ConditionFailed)
    assert fault.failed == (False, True)


def list_theirs(kind: type[BaseException]) -> set[type[BaseException]]:
    below = {k for direct in kind.__subclasses__() for k in list_theirs(direct)}
    return {kind} | below


def test_every_exception_of_the_library_is_translated() -> None:
    kinds = [k for k in list_theirs(theirs.BotoCoreError) if k.__module__.startswith("botocore")]
    assert len(kinds) > 50
    for kind in kinds:

        def fail(kind: type[BaseException] = kind) -> None:
            raise kind.__new__(kind)  # its own making takes other words in each

        with pytest.raises(AwsFault):
            translated("a call", fail)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (theirs.NoCredentialsError(), CredentialsFault),
        (theirs.EndpointConnectionError(endpoint_url="http://x"), UnreachableFault),
        (theirs.ReadTimeoutError(endpoint_url="http://x"), UnreachableFault),
    ],
)
def test_faults_without_an_answer_are_distinguished(fault: Exception, kind: type[AwsFault]) -> None:
    def fail() -> None:
        raise fault

    with pytest.raises(kind):
        translated("a call", fail)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_boto3(name: str, *rest: Any, **more: Any) -> Any:
        if name == "boto3":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_boto3)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[aws\]'"):
        AwsApi("eu-west-1").connect("ec2")


def explain_lock(holder: str, lock_id: str) -> str:
    """Return both, as they were found."""
    return f"{holder} holds {lock_id}"


def test_a_held_state_lock_names_its_holder_and_its_id() -> None:
    assert explain_terraform(LOCKED, explain_lock) == "ann@laptop holds 1b2c3d"


def test_of_a_failed_run_the_errors_are_kept() -> None:
    said = "╷\n│ Error: Invalid count\n│\n│   on main.tf line 3\n╵\n╷\n│ Error: No such AMI\n╵\n"
    assert explain_terraform(said, explain_lock) == "Invalid count; No such AMI"
    assert explain_terraform("", explain_lock) == "it gave no reason"

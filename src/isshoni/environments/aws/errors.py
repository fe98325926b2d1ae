"""Errors of the AWS API and of Terraform, with what to do about each."""

import re
from collections.abc import Callable
from typing import Any

from isshoni.rollout.errors import EnvironmentFault

_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "AuthFailure",
    }
)
_ACCESS = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
)
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
_AGAIN = "a running deploy or failover tries again by itself, else run the same command again"


class AwsFault(EnvironmentFault):
    """A call of the AWS API failed; the message names the call."""

    advice = "the AWS console or `aws` shows more"

    def __init__(self, call: str, words: str, code: str = "") -> None:
        super().__init__(f"AWS {call} failed: {words} ({self.advice})")
        self.call = call
        self.code = code


class CredentialsFault(AwsFault):
    """There are no credentials, or they have expired."""

    advice = "sign in again (`aws sso login`, or fresh keys), then run the same command: it resumes"


class AccessFault(AwsFault):
    """The credentials are valid, but do not allow this call."""

    advice = "the deployer's role lacks this permission; docs/aws.md lists what it needs"


class ThrottledFault(AwsFault):
    """AWS limits the rate of calls, and refused every retry too."""

    advice = f"raise `look_seconds` if this continues; {_AGAIN}"


class UnreachableFault(AwsFault):
    """AWS did not answer."""

    advice = f"check the network; {_AGAIN}"


class NotThere(AwsFault):
    """Something that Terraform created no longer exists."""

    advice = "it may have been removed by hand: see `terraform plan` in its folder"


class ConditionFailed(AwsFault):
    """The condition of a write was false: the row has changed since it was read."""

    advice = "another engine wrote first"

    def __init__(self, call: str, words: str, failed: tuple[bool, ...] = ()) -> None:
        super().__init__(call, words, "ConditionalCheckFailed")
        self.failed = failed
        """For each part of a transaction, whether its condition was false."""


class ConflictFault(AwsFault):
    """A transaction collided with another one on the same rows."""

    advice = "another write kept interfering, also when tried again; run the same command again"


class MissingExtra(EnvironmentFault):
    """The AWS library is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "an environment of kind `aws` needs boto3, which is not installed: "
            "`pip install '.[aws]'` in the clone"
        )


def translate_answer(call: str, answer: dict[str, Any]) -> AwsFault:
    """Return the fault for an error answer of the API."""
    error = answer.get("Error", {})
    code, words = str(error.get("Code", "")), str(error.get("Message", ""))
    said = f"{code}: {words}" if words else code
    reasons = [reason.get("Code") for reason in answer.get("CancellationReasons", ())]
    if code == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in reasons:
        failed = tuple(reason == "ConditionalCheckFailed" for reason in reasons)
        return ConditionFailed(call, said, failed)
    if code in _CREDENTIALS:
        return CredentialsFault(call, said, code)
    if code in _ACCESS:
        return AccessFault(call, said, code)
    if code == "TransactionConflictException" or "TransactionConflict" in reasons:
        return ConflictFault(call, said, code)
    if code in _THROTTLED or "ThrottlingError" in reasons:
        return ThrottledFault(call, said, code)
    if "NotFound" in code or code == "NoSuchEntity":
        return NotThere(call, said, code)
    return AwsFault(call, said, code)


class OutputsFault(EnvironmentFault):
    """What the ground publishes for the engine cannot be read."""

    def __init__(self, parameter: str, region: str, folder: str, why: str) -> None:
        super().__init__(
            f"the parameter {parameter} in {region} cannot be used: {why}. The ground writes it: "
            f"`terraform -chdir={folder} apply`. `name` and `region` of the environment in "
            "isshoni.toml must be those of its Terraform variables"
        )


class RuleFault(EnvironmentFault):
    """A listener rule does not send a moving client to the slot that it names."""

    def __init__(self, colour: str, arn: str) -> None:
        super().__init__(
            f"the listener rule for ?target={colour} does not lead to {colour} alone, so live "
            f"sessions could not be moved there: run `terraform apply` ({arn})"
        )


class TerraformFault(EnvironmentFault):
    """A run of Terraform failed; the message quotes it."""

    def __init__(self, verb: str, why: str) -> None:
        super().__init__(f"terraform {verb}: {why}")
        self.verb = verb


class ForeignChanges(EnvironmentFault):
    """The Terraform plan of a slot would change more than its machines."""

    def __init__(self, colour: str, changes: list[str], folder: str) -> None:
        shown = ", ".join(changes[:5]) + (" …" if len(changes) > 5 else "")
        super().__init__(
            f"a deploy to {colour} may change the machines of {colour} only, but Terraform would "
            f"also: {shown}. Nothing was changed. Check `terraform -chdir={folder} plan`, apply "
            "that separately, then deploy again"
        )
        self.changes = changes


_LOCK_ID = re.compile(r"^\W*ID:\s+(\S+)", re.MULTILINE)
_LOCK_HOLDER = re.compile(r"^\W*Who:\s+(\S+)", re.MULTILINE)
_ERROR = re.compile(r"Error: (.+)")


def explain_terraform(said: str, explain_lock: Callable[[str, str], str]) -> str:
    """Return Terraform's error output as one sentence.

    `explain_lock` returns what to say of a held lock, by its holder and its id.
    """
    if "Error acquiring the state lock" in said:
        found = _LOCK_HOLDER.search(said), _LOCK_ID.search(said)
        return explain_lock(*(match[1] if match else "unknown" for match in found))
    if "Backend initialization required" in said or "Required plugins are not installed" in said:
        return "the folder was not initialised: `terraform init` in it"
    errors = list(dict.fromkeys(line.strip(" │╷╵") for line in _ERROR.findall(said)))
    if errors:
        return "; ".join(errors[:4])
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " | ".join(lines[-4:]) or "it gave no reason"


class SecretFault(EnvironmentFault):
    """A secret is not as the backends need it; the message contains nothing of it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the secret {name} in Secrets Manager cannot be used: {why}")


class NotTakenDown(EnvironmentFault):
    """`isshoni down` does not stop an environment on AWS."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            "`isshoni down` does not stop an environment on AWS: `isshoni rollback` rolls a "
            f"deploy back; docs/aws.md says how to delete everything in {folder}, data too"
        )


class NoTokenKeys(EnvironmentFault):
    """A session token cannot be signed: the environment has no keys for it."""

    def __init__(self, secret: str) -> None:
        super().__init__(
            f"the secret {secret} has no ISSHONI_TOKEN_KEYS, so its sessions require no token: "
            "set it to KEY_ID:SECRET, set ISSHONI_AUTH to required, and deploy"
        )

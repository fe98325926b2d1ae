"""What the AWS API can answer with, as faults that a person can act on."""

import re
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


class AwsFault(EnvironmentFault):
    """A call of the AWS API that failed, with what was tried."""

    advice = "the AWS console or `aws` shows more"

    def __init__(self, call: str, words: str, code: str = "") -> None:
        super().__init__(f"AWS {call} failed: {words} ({self.advice})")
        self.call = call
        self.code = code


class CredentialsFault(AwsFault):
    """No credentials, or such as hold no more."""

    advice = "sign in again (`aws sso login`, or fresh keys), then run the same command: it resumes"


class AccessFault(AwsFault):
    """Credentials that are good, but not for this."""

    advice = "the deployer's role lacks this permission; docs/aws.md lists what it needs"


class ThrottledFault(AwsFault):
    """AWS had enough of us, and still had after every retry."""

    advice = "raise `look_seconds` if it goes on; the engine tries again by itself"


class UnreachableFault(AwsFault):
    """No answer at all."""

    advice = "check the network; the engine tries again by itself"


class NotThere(AwsFault):
    """Something that Terraform should have made is gone."""

    advice = "was it removed by hand? `terraform plan` in the environment's folder shows"


class ConditionFailed(AwsFault):
    """A conditional write that found another state than it was to change."""

    advice = "somebody else was first"

    def __init__(self, call: str, words: str, failed: tuple[bool, ...] = ()) -> None:
        super().__init__(call, words, "ConditionalCheckFailed")
        self.failed = failed
        """For each part of a transaction, whether its condition is what failed."""


class ConflictFault(AwsFault):
    """A transaction that met another one."""

    advice = "it was tried again, and still met others; run the same command once more"


class MissingExtra(EnvironmentFault):
    """The AWS library is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "an environment of kind `aws` needs boto3, which is not installed: "
            "`pip install '.[aws]'` in the clone"
        )


def translate_answer(call: str, answer: dict[str, Any]) -> AwsFault:
    """Make the fault of what the API answered with."""
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
    """A composition whose output is not what the engine needs."""

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(
            f"the output `isshoni` of {folder} cannot be used: {why} (apply the composition "
            f"first: `terraform -chdir={folder} apply`)"
        )


class RuleFault(EnvironmentFault):
    """A rule that does not send a moving client where it was told to go."""

    def __init__(self, colour: str, arn: str) -> None:
        super().__init__(
            f"the listener rule for ?target={colour} does not lead to {colour} alone, so no live "
            f"session could be moved there: apply the infrastructure ({arn})"
        )


class TerraformFault(EnvironmentFault):
    """A run of Terraform that failed, with its own words."""

    def __init__(self, verb: str, why: str) -> None:
        super().__init__(f"terraform {verb}: {why}")
        self.verb = verb


class ForeignChanges(EnvironmentFault):
    """A plan that would change more than the machines of one colour."""

    def __init__(self, colour: str, changes: list[str], folder: str) -> None:
        shown = ", ".join(changes[:5]) + (" …" if len(changes) > 5 else "")
        super().__init__(
            f"a deploy to {colour} may change the machines of {colour} only, but Terraform would "
            f"also: {shown}. Look at `terraform -chdir={folder} plan`, apply that by itself, "
            "then deploy again"
        )
        self.changes = changes


_LOCK_ID = re.compile(r"^\W*ID:\s+(\S+)", re.MULTILINE)
_LOCK_HOLDER = re.compile(r"^\W*Who:\s+(\S+)", re.MULTILINE)
_ERROR = re.compile(r"Error: (.+)")


def explain_terraform(said: str) -> str:
    """Put what Terraform complained of into one sentence."""
    if "Error acquiring the state lock" in said:
        found = _LOCK_ID.search(said), _LOCK_HOLDER.search(said)
        id, holder = (match[1] if match else "unknown" for match in found)
        return (
            f"its state is locked by {holder}. If that run is surely dead: "
            f"`terraform force-unlock {id}`"
        )
    if "Backend initialization required" in said or "Required plugins are not installed" in said:
        return "the folder was not initialised: `terraform init` in it"
    errors = list(dict.fromkeys(line.strip(" │╷╵") for line in _ERROR.findall(said)))
    if errors:
        return "; ".join(errors[:4])
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " | ".join(lines[-4:]) or "it gave no reason"


class SecretFault(EnvironmentFault):
    """A secret that is not as the backends need it; nothing of it is told."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the secret {name} in Secrets Manager cannot be used: {why}")


class NotTakenDown(EnvironmentFault):
    """An environment that people share is not taken down by this command."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            "an environment on AWS is not taken down by one word: `isshoni rollback` takes a "
            f"deploy back; to end all of it, its data too: `terraform -chdir={folder} destroy`"
        )


class NoTokenKeys(EnvironmentFault):
    """Session tokens are asked for where nothing signs them."""

    def __init__(self, secret: str) -> None:
        super().__init__(
            f"the secret {secret} has no ISSHONI_TOKEN_KEYS, so nobody is asked for a token there: "
            "put KEY_ID:SECRET under that name, with ISSHONI_AUTH = required, and deploy"
        )

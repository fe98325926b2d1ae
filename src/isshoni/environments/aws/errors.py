"""What the AWS API can answer with, as faults that a person can act on."""

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

    advice = "check the network and `region`; the engine tries again by itself"


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
            "`pip install isshoni[aws]`"
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

"""Check the credentials: whose they are, and whether they are the deployer's."""

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.doctor.inspected import Inspected
from isshoni.environments.aws.errors import AccessFault, AwsFault, CredentialsFault
from isshoni.environments.checks import Check

_SHORTEST_SESSION_SECONDS = 900


async def check_credentials(api: AwsApi) -> Check:
    """Check that AWS accepts the credentials."""
    try:
        identity = await api.call("sts", "get_caller_identity")
    except CredentialsFault as fault:
        remedy = "sign in: `aws sso login`, or set AWS_PROFILE to a profile that works"
        return Check("credentials", False, str(fault), remedy)
    except AwsFault as fault:
        remedy = f"check that this machine reaches the AWS API in {api.region}"
        return Check("credentials", False, str(fault), remedy)
    return Check("credentials", True, str(identity["Arn"]))


async def check_deployer(inspected: Inspected) -> Check:
    """Check that the credentials are those of the deployer's role, or may assume it."""
    name, role = "deployer's role", inspected.outputs.deployer_role_arn
    if not role:
        return Check(name, True, "not published by this ground")
    caller = str((await inspected.api.call("sts", "get_caller_identity"))["Arn"])
    if f":assumed-role/{role.rpartition('/')[2]}/" in caller:
        return Check(name, True, "these credentials are its own")
    try:
        await inspected.api.call(
            "sts",
            "assume_role",
            RoleArn=role,
            RoleSessionName="isshoni-doctor",
            DurationSeconds=_SHORTEST_SESSION_SECONDS,
        )
    except AccessFault:
        remedy = (
            f"add {caller} to `deployer_principal_arns` of the ground, and let it call "
            "sts:AssumeRole; or run this as the role itself"
        )
        return Check(name, False, f"{caller} may not assume {role}", remedy)
    detail = f"{caller} may assume {role}; a deploy uses whichever of them AWS_PROFILE names"
    return Check(name, True, detail)

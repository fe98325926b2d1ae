"""The errors of a rollout."""

from isshoni.errors import ExitCode, IsshoniError


class EnvironmentFault(IsshoniError):
    """An environment could not do or report something; the engine may try again."""

    exit_code = ExitCode.ENVIRONMENT

"""Faults that a rollout can meet."""

from isshoni.errors import ExitCode, IsshoniError


class EnvironmentFault(IsshoniError):
    """An environment could not do or tell something; the engine may try again."""

    exit_code = ExitCode.ENVIRONMENT

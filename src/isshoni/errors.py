"""The root of every error of ours, and the exit codes that scripts can use."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a finished `isshoni` command says to the script that ran it."""

    OK = 0
    SLA_NOT_MET = 1
    """`verify`: it ran, and the SLA was not met."""
    USAGE = 2
    """The command line was wrong."""
    CONFIG = 3
    """The configuration was wrong; every fault was named."""
    ENVIRONMENT = 4
    """A port is taken, a server did not start, the environment is not up."""
    ROLLED_BACK = 5
    """The deploy was rolled back; all sessions are on the stable version."""
    LEASE_HELD = 6
    """Another rollout holds this environment."""
    REFUSED = 7
    """The present state is too bad to start from; nothing was changed."""
    STUCK = 8
    """Neither forward nor back was possible; an operator must check."""
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    """The pipe that output goes to was closed: 128 + SIGPIPE, as for other programs."""


class IsshoniError(Exception):
    """Something a person can act on; its message says what, which value, what to do."""

    exit_code: ExitCode = ExitCode.ENVIRONMENT

"""Errors of the command line itself."""

from pathlib import Path

from isshoni.errors import ExitCode, IsshoniError
from isshoni.plurals import count


class ConfigError(IsshoniError):
    """The configuration is not valid; the message lists every fault with its path."""

    exit_code = ExitCode.CONFIG

    def __init__(self, origin: str, faults: list[str]) -> None:
        self.origin = origin
        self.faults = faults
        super().__init__(
            f"{origin} has {count(len(faults), 'fault')}:\n"
            + "\n".join(f"  {fault}" for fault in faults)
        )


class NoEnvironment(IsshoniError):
    """The state directory does not exist: no environment was started here."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        super().__init__(
            f"there is no environment at {state_dir}: `isshoni up` starts one "
            "(or name another directory in isshoni.toml or $ISSHONI_STATE_DIR)"
        )


class EnvironmentStopped(IsshoniError):
    """The environment was stopped: none of its programs is meant to run."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            f"the environment at {url} is stopped: start it with `isshoni up`. Nothing was changed"
        )

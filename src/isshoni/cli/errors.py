"""Faults of the command line itself."""

from isshoni.errors import ExitCode, IsshoniError


class ConfigError(IsshoniError):
    """A configuration that cannot be used; every fault in it, with its path."""

    exit_code = ExitCode.CONFIG

    def __init__(self, origin: str, faults: list[str]) -> None:
        self.origin = origin
        self.faults = faults
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{origin} has {count}:\n" + "\n".join(f"  {fault}" for fault in faults))

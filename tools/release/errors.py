"""Why no release was made."""


class ReleaseRefused(Exception):
    """The repository is not ready; `reasons` lists everything that is wrong."""

    exit_code = 7

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class ReleaseFailed(Exception):
    """A step failed; nothing of the release was kept."""

    exit_code = 1


class ToolMissing(Exception):
    """The machine lacks a program that a release needs."""

    exit_code = 4

"""The errors of the dashboard's actions."""

from isshoni.errors import IsshoniError


class NotAllowed(IsshoniError):
    """The operator does not allow deploys from the page."""

    def __init__(self) -> None:
        super().__init__(
            "this dashboard does not deploy: start it with `isshoni dashboard --allow-deploy`"
        )


class UnfitVersion(IsshoniError):
    """A text cannot be deployed from the page."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"{version!r:.80} cannot be deployed from here: use a label (up to 64 letters, digits "
            "and . _ + -), or git:REF; directories and wheels only with `isshoni deploy`"
        )

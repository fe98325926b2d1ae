"""Faults of the backend."""

from isshoni.errors import ExitCode, IsshoniError


class StoreUnavailable(IsshoniError):
    """Redis did not take or give something; nothing of it may be acknowledged."""


class SessionDeleted(StoreUnavailable):
    """A session that was deleted: nothing is in it, and nothing may be put there."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"the session {session_id} was deleted")


class SettingsFault(IsshoniError):
    """An environment that no backend can start with; every fault is named."""

    exit_code = ExitCode.CONFIG

    def __init__(self, faults: list[str]) -> None:
        super().__init__("the environment of the backend is wrong:\n  " + "\n  ".join(faults))
        self.faults = faults


class PortTaken(IsshoniError):
    """An address that this process cannot listen on."""

    def __init__(self, variable: str, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({reason}): "
            f"stop what holds it, or set {variable} to another port"
        )


class BadTicket(IsshoniError):
    """A ticket that is forged, expired, or for another session or colour."""


class Unreadable(IsshoniError):
    """Stored content that this process cannot read; it is left as it is."""


class KeyRefused(StoreUnavailable):
    """The key of this process is not the one that the data in Redis is sealed with."""


class BadKeys(IsshoniError):
    """A SESSION_ENCRYPTION_KEY that names no keys. Never shows the value."""

    exit_code = ExitCode.CONFIG

    def __init__(self) -> None:
        super().__init__(
            "SESSION_ENCRYPTION_KEY: must be Fernet keys with commas between them (each 32 bytes "
            "in URL-safe base64; `python -m isshoni.backend --make-key` makes one)"
        )


class BadToken(IsshoniError):
    """A session token that is missing, forged or over."""


class NotAllowed(IsshoniError):
    """A good session token that does not permit this."""


class PublicAdminAddress(IsshoniError):
    """An address for the admin port that strangers can reach."""

    exit_code = ExitCode.CONFIG

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"ISSHONI_ADMIN_HOST: {host} is {address}, which is neither loopback nor private: "
            "bind the admin port to one that is (127.0.0.1, 10.…), or set "
            "ISSHONI_ADMIN_ALLOW_PUBLIC=1 if a firewall of yours keeps strangers out"
        )

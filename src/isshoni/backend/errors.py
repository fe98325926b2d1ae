"""The errors of the backend."""

from isshoni.errors import ExitCode, IsshoniError


class StoreUnavailable(IsshoniError):
    """Redis did not carry out a command; what it was for must not be acknowledged."""


class SessionRefused(StoreUnavailable):
    """The store works, and refuses this session for good: no fault of this process or Redis."""


class SessionDeleted(SessionRefused):
    """A session was deleted: it has no content, and none may be added."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"the session {session_id} was deleted, or expired because it was not used for long"
        )


class SessionsFull(SessionRefused):
    """A new session would exceed the quota of stored sessions; existing ones work."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"a new session was refused: this deployment stores at most {most} sessions "
            "(ISSHONI_MAX_SESSIONS_STORED); delete some, or let unused ones expire"
        )


class SettingsFault(IsshoniError):
    """The environment variables are wrong; every fault is named."""

    exit_code = ExitCode.CONFIG

    def __init__(self, faults: list[str]) -> None:
        super().__init__("the environment of the backend is wrong:\n  " + "\n  ".join(faults))
        self.faults = faults


class PortTaken(IsshoniError):
    """This process cannot listen on an address."""

    def __init__(self, variable: str, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({reason}): "
            f"stop the program that uses it, or set {variable} to another port"
        )


class BadTicket(IsshoniError):
    """A ticket is forged, expired, or for another session or colour."""


class Unreadable(IsshoniError):
    """Stored content cannot be read by this process; it is left as it is."""


class KeyRefused(StoreUnavailable):
    """The data in Redis is sealed with another key than that of this process."""


class BadKeys(IsshoniError):
    """SESSION_ENCRYPTION_KEY is no list of keys. The message never shows the value."""

    exit_code = ExitCode.CONFIG

    def __init__(self) -> None:
        super().__init__(
            "SESSION_ENCRYPTION_KEY: must be Fernet keys with commas between them (each 32 bytes "
            "in URL-safe base64; `python -m isshoni.backend --make-key` makes one)"
        )


class BadToken(IsshoniError):
    """A session token is missing, forged or expired."""


class NotAllowed(IsshoniError):
    """A valid session token does not permit this."""


class PublicAdminAddress(IsshoniError):
    """The admin port would listen on a public address."""

    exit_code = ExitCode.CONFIG

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"ISSHONI_ADMIN_HOST: {host} is {address}, which is neither loopback nor private: "
            "bind the admin port to one that is (127.0.0.1, 10.…), or set "
            "ISSHONI_ADMIN_ALLOW_PUBLIC=1 if a firewall protects it"
        )

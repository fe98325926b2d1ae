"""Faults of the wire protocol."""

from isshoni.errors import IsshoniError

_TEMPORARY = ("gap", "not_restored", "not_ready", "rate_limited", "read_only", "canvas_full")


class ProtocolError(IsshoniError):
    """A frame that breaks docs/protocol.md; `code` is the one sent back."""

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        n: int | None = None,
        expected: int | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.n = n
        self.expected = expected
        self.retry_after_ms = retry_after_ms

    @property
    def is_temporary(self) -> bool:
        """True for an error of timing or rights that a correct client may cause too."""
        return self.code in _TEMPORARY

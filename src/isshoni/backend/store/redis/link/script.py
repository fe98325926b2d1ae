"""A Lua script as Redis knows it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any


@dataclass(frozen=True)
class Script:
    """The source of a Lua script and the digest that EVALSHA names it by."""

    source: bytes
    wrote: Callable[[Any], bool] = bool
    """Returns True for an answer that means a write; by default all but 0 and nil."""
    wait_seconds: float = 0.0
    """How long it waits while this region may not write; then, and with 0, it is refused."""
    sha: bytes = field(init=False)

    def __post_init__(self) -> None:
        digest = sha1(self.source, usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest.encode())

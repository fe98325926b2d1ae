"""A Lua script as Redis knows it."""

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True)
class Script:
    """The source of a Lua script and the digest that EVALSHA names it by."""

    source: bytes
    sha: bytes = field(init=False)

    def __post_init__(self) -> None:
        digest = sha1(self.source, usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest.encode())

"""A Global Datastore of real Valkeys: moto has none, so these calls are answered here.

What it does is what AWS documents of `FailoverGlobalReplicationGroup`: the status is `modifying`
for a while, then one member is the primary and the other one its secondary. How long a
promotion takes on AWS, only a real account can show.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.responses import Response

from tests.support.valkey import ValkeyServer

CHANGING_SECONDS = 0.3


@dataclass
class StandInDatastore:
    """Two replication groups of one name, in two regions."""

    group: str
    members: Mapping[str, ValkeyServer]
    """By region; the first one is the primary at the start."""
    primary: str = ""
    refuses: str = ""
    """Why a promotion is refused; empty: it is not."""
    dead: set[str] = field(default_factory=set)
    """Regions whose Redis is lost: nothing is asked of it."""
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.primary = self.primary or next(iter(self.members))
        self._follow()

    def answer(self, operation: str, body: bytes) -> Response | None:
        """Answer a call about Global Datastores; None: it is about something else."""
        if operation == "DescribeGlobalReplicationGroups":
            return self._describe(
                operation, "<GlobalReplicationGroups>%s</GlobalReplicationGroups>"
            )
        if operation == "FailoverGlobalReplicationGroup":
            asked = parse_qs(body.decode())
            assert asked["PrimaryReplicationGroupId"] == [self.group]
            if self.refuses:
                return _refuse(self.refuses)
            self.promote(asked["PrimaryRegion"][0])
            return self._describe(operation, "%s")
        return None

    def promote(self, region: str) -> None:
        """Make a region's member the primary, and the other one its secondary."""
        with self._lock:
            self.primary = region
            self._until = time.monotonic() + CHANGING_SECONDS
            self._follow()

    def _follow(self) -> None:
        for region, server in self.members.items():
            if region in self.dead:
                continue
            if region == self.primary:
                server.command("REPLICAOF", "NO", "ONE")
            else:
                port = str(self.members[self.primary].port)
                server.command("REPLICAOF", "127.0.0.1", port)

    def _describe(self, operation: str, around: str) -> Response:
        status = "modifying" if time.monotonic() < self._until else "available"
        members = "".join(
            "<GlobalReplicationGroupMember>"
            f"<ReplicationGroupId>{self.group}</ReplicationGroupId>"
            f"<ReplicationGroupRegion>{region}</ReplicationGroupRegion>"
            f"<Role>{'PRIMARY' if region == self.primary else 'SECONDARY'}</Role>"
            "<Status>associated</Status></GlobalReplicationGroupMember>"
            for region in self.members
        )
        group = (
            f"<GlobalReplicationGroup><GlobalReplicationGroupId>sgaui-{self.group}"
            f"</GlobalReplicationGroupId><Status>{status}</Status><Members>{members}</Members>"
            "</GlobalReplicationGroup>"
        )
        result = f"<{operation}Result>{around % group}</{operation}Result>"
        return Response(
            f"<{operation}Response>{result}</{operation}Response>", media_type="text/xml"
        )


def _refuse(why: str) -> Response:
    words = f"<ErrorResponse><Error><Code>{why}</Code><Message>no</Message></Error></ErrorResponse>"
    return Response(words, 400, media_type="text/xml")

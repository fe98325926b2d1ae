"""Read the locks that Terraform writes beside the states of the two slots."""

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.aws.remembered import Remembered
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour

_KEY = re.compile(r'^\s*key\s*=\s*"([^"]+)"', re.MULTILINE)
_TIMEOUT_SECONDS = 1.0
_ABSENT = ("404", "NoSuchKey", "NoSuchBucket")
LOCAL_LOCK = ".terraform.tfstate.lock.info"
"""The lock of a state that is a file in the folder of its slot."""


@dataclass(frozen=True)
class StatePlace:
    """Where the state of a slot is, if that is in a bucket."""

    colour: Colour
    bucket: str
    key: str


class Lock(msgspec.Struct, rename="pascal"):
    """The lock that Terraform writes beside a state."""

    id: str = msgspec.field(name="ID", default="unknown")
    who: str = "unknown"
    operation: str = "a run"
    created: datetime | None = None

    @property
    def age_seconds(self) -> float:
        """Return how long it has been held; 0.0 if it does not say."""
        return max(0.0, time.time() - self.created.timestamp()) if self.created else 0.0

    def describe(self) -> str:
        """Return who holds it and for how long, as text."""
        return f"is locked by {self.who} ({self.operation}) for {_describe(self.age_seconds)}"


class StateLocks:
    """Reads the lock of each slot: who holds it may still be changing the slot."""

    def __init__(self, config: AwsConfig) -> None:
        self._config = config
        # A bucket that does not answer must not keep the engine from observing all else.
        region = config.backend.get("region", config.region)
        self._api = AwsApi(
            region, attempts=1, timeout_seconds=_TIMEOUT_SECONDS, role_arn=config.role_arn
        )
        self._seen = {
            colour: Remembered(partial(self._look, colour), config.look_seconds)
            for colour in COLOURS
        }

    def connect(self) -> None:
        """Load the AWS library's part for buckets, if the states are in one."""
        if self._config.backend.get("bucket"):
            self._api.connect("s3")

    async def find(self, colour: Colour) -> Lock | None:
        """Return the lock of a slot; None if it is free, or cannot be read.

        Terraform itself waits for a lock, so to go on without knowing is safe.
        """
        return await self._seen[colour].get()

    def forget(self) -> None:
        """Discard the remembered locks: the next observation reads again."""
        for seen in self._seen.values():
            seen.forget()

    def describe_unlock(self, colour: Colour, lock: Lock) -> str:
        """Return the command that removes a lock whose holder is dead."""
        return describe_unlock(self._config.terraform / colour, lock.id)

    async def _look(self, colour: Colour) -> Lock | None:
        places = await asyncio.to_thread(find_places, self._config) or []
        place = next((p for p in places if p.colour == colour and p.bucket), None)
        try:
            if place is None:
                return await asyncio.to_thread(read_local_lock, self._config.terraform / colour)
            return await read_lock(self._api, place)
        except EnvironmentFault:
            return None


async def read_lock(api: AwsApi, place: StatePlace) -> Lock | None:
    """Return the lock of a state in a bucket; None if it is free."""
    if not place.bucket:
        return None
    try:
        answer = await api.call("s3", "get_object", Bucket=place.bucket, Key=f"{place.key}.tflock")
    except AwsFault as fault:
        if fault.code in _ABSENT:
            return None
        raise
    written = await asyncio.to_thread(answer["Body"].read)
    return _decode(written, f"{place.key}.tflock")


def find_places(config: AwsConfig) -> list[StatePlace] | None:
    """Return where the states of the slots are; None if they are not in a bucket."""
    places = []
    for colour in COLOURS:
        written = _read_versions(config.terraform / colour)
        if '"s3"' not in written:
            return None
        key = config.backend.get("key") or next(iter(_KEY.findall(written)), "")
        places.append(StatePlace(colour, config.backend.get("bucket", ""), key))
    return places


def open_s3(config: AwsConfig) -> AwsApi:
    """Return the API of the region that the states are in."""
    return AwsApi(config.backend.get("region", config.region), role_arn=config.role_arn)


def describe_unlock(folder: Path, lock_id: str) -> str:
    """Return what to do about a lock whose holder may be dead."""
    # Terraform's `force-unlock` refuses a state that is a file.
    unlock = (
        f"rm {folder / LOCAL_LOCK}"
        if _is_in_file(folder)
        else f"terraform -chdir={folder} force-unlock {lock_id}"
    )
    return f"if that run is surely dead: `{unlock}`"


def explain_held(folder: Path, holder: str, lock_id: str) -> str:
    """Return why Terraform could not have the lock of a state, and what to do."""
    if not _is_in_file(folder):
        return f"its state is locked by {holder}; {describe_unlock(folder, lock_id)}"
    return (
        f"its state is locked by {holder}. It is a file, whose lock ends with the run that holds "
        "it: that run still works. Wait for its end, or end it, then run the same command again"
    )


def _is_in_file(folder: Path) -> bool:
    """True if the state of a slot is a file in its folder."""
    return '"s3"' not in _read_versions(folder)


def read_local_lock(folder: Path) -> Lock | None:
    """Return the lock of a state that is a file in the folder of its slot; None if it is free."""
    try:
        return _decode((folder / LOCAL_LOCK).read_bytes(), LOCAL_LOCK)
    except OSError:
        return None


def _decode(written: bytes, name: str) -> Lock:
    try:
        return msgspec.json.decode(written, type=Lock)
    except msgspec.MsgspecError as fault:
        raise EnvironmentFault(f"{name} cannot be read: {fault}") from None


def _read_versions(folder: Path) -> str:
    try:
        return (folder / "versions.tf").read_text()
    except OSError:
        return ""  # `isshoni doctor` reports a folder that is missing


def _describe(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"

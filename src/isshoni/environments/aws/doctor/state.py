"""Check Terraform, and the states of the two slots with their locks."""

import asyncio
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.doctor.inspected import Inspected
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.checks import Check
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour

_KEY = re.compile(r'^\s*key\s*=\s*"([^"]+)"', re.MULTILINE)
_ABSENT = ("404", "NoSuchKey", "NoSuchBucket")
_NO_BUCKET = ("NoSuchBucket", "301", "PermanentRedirect")


@dataclass(frozen=True)
class _Place:
    """Where the state of a slot is."""

    colour: Colour
    bucket: str
    key: str


class _Lock(msgspec.Struct, rename="pascal"):
    """The lock that Terraform writes beside a state."""

    id: str = msgspec.field(name="ID", default="unknown")
    who: str = "unknown"
    operation: str = "a run"
    created: datetime | None = None


async def check_terraform(config: AwsConfig) -> Check:
    """Check that Terraform and the compositions of both slots are on this machine."""
    program = shutil.which(config.terraform_program)
    if program is None:
        remedy = "install Terraform 1.11 or newer, or set `terraform_program`"
        return Check("terraform", False, f"there is no {config.terraform_program!r}", remedy)
    missing = [str(config.terraform / c) for c in COLOURS if not (config.terraform / c).is_dir()]
    if missing:
        remedy = "set `terraform` to the folder of the ground, in which those of the slots are"
        return Check("terraform", False, f"there is no folder {', '.join(missing)}", remedy)
    return Check("terraform", True, f"{program}, in {config.terraform}")


async def check_state(inspected: Inspected) -> Check:
    """Check that the states of both slots can be read."""
    places = await asyncio.to_thread(_find_places, inspected.config)
    if places is None:
        return Check("state", True, "the compositions name no bucket")
    if not all(place.bucket for place in places):
        return Check("state", False, "isshoni.toml names no bucket", _describe_backend())
    api, found = _open_s3(inspected.config), []
    for place in places:
        try:
            # Not `head_object`: that answers 404 for a bucket that does not exist, too.
            answer = await api.call(
                "s3", "list_objects_v2", Bucket=place.bucket, Prefix=place.key, MaxKeys=10
            )
        except AwsFault as fault:
            if fault.code not in _NO_BUCKET:
                raise
            detail = f"{place.bucket} in {api.region}: {fault.code}"
            return Check("state", False, detail, _describe_backend())
        exists = any(item["Key"] == place.key for item in answer.get("Contents", ()))
        found.append(place.key if exists else f"{place.key} (none yet)")
    return Check("state", True, f"{places[0].bucket}: {', '.join(found)}")


async def check_locks(inspected: Inspected) -> Check:
    """Check that no lock of a state is older than a run of Terraform may take."""
    places = await asyncio.to_thread(_find_places, inspected.config)
    api, limit = _open_s3(inspected.config), inspected.config.terraform_seconds
    held: list[str] = []
    for place in places or []:
        lock = await _read_lock(api, place)
        if lock is None:
            continue
        age = (time.time() - lock.created.timestamp()) if lock.created else 0.0
        words = f"{place.key} is locked by {lock.who} ({lock.operation}) for {_describe(age)}"
        if age > limit:
            folder = inspected.config.terraform / place.colour
            remedy = (
                f"if that run is surely dead: `terraform -chdir={folder} force-unlock {lock.id}`"
            )
            return Check("locks", False, f"{words}, ID {lock.id}", remedy)
        held.append(words)
    return Check("locks", True, "; ".join(held) or "none is held")


async def _read_lock(api: AwsApi, place: _Place) -> _Lock | None:
    if not place.bucket:
        return None
    try:
        answer = await api.call("s3", "get_object", Bucket=place.bucket, Key=f"{place.key}.tflock")
    except AwsFault as fault:
        if fault.code in _ABSENT:
            return None
        raise
    written = await asyncio.to_thread(answer["Body"].read)
    try:
        return msgspec.json.decode(written, type=_Lock)
    except msgspec.MsgspecError as fault:
        raise EnvironmentFault(f"{place.key}.tflock cannot be read: {fault}") from None


def _find_places(config: AwsConfig) -> list[_Place] | None:
    """Return where the states of the slots are; None if they are not in a bucket."""
    places = []
    for colour in COLOURS:
        written = _read_versions(config, colour)
        if '"s3"' not in written:
            return None
        key = config.backend.get("key") or next(iter(_KEY.findall(written)), "")
        places.append(_Place(colour, config.backend.get("bucket", ""), key))
    return places


def _read_versions(config: AwsConfig, colour: Colour) -> str:
    try:
        return (config.terraform / colour / "versions.tf").read_text()
    except OSError:
        return ""  # `check_terraform` reports a folder that is missing


def _open_s3(config: AwsConfig) -> AwsApi:
    return AwsApi(config.backend.get("region", config.region))


def _describe_backend() -> str:
    settings: Mapping[str, str] = {"bucket": "…", "region": "…", "kms_key_id": "…"}
    written = ", ".join(f'{name} = "{value}"' for name, value in settings.items())
    return f"set `backend` of the environment in isshoni.toml: {{ {written} }} (docs/aws.md)"


def _describe(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"

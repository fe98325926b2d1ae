"""Check Terraform, and the states of the two slots with their locks."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping

from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.doctor.inspected import Inspected
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.aws.state_locks import (
    Lock,
    describe_unlock,
    find_places,
    open_s3,
    read_local_lock,
    read_lock,
)
from isshoni.environments.checks import Check
from isshoni.rollout.model import COLOURS

_NO_BUCKET = ("NoSuchBucket", "301", "PermanentRedirect")


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
    places = await asyncio.to_thread(find_places, inspected.config)
    if places is None:
        return Check("state", True, "the compositions name no bucket")
    if not all(place.bucket for place in places):
        return Check("state", False, "isshoni.toml names no bucket", _describe_backend())
    api, found = open_s3(inspected.config), []
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
    limit = inspected.config.terraform_seconds
    held: list[str] = []
    async for name, lock, remedy in _find_locks(inspected.config):
        words = f"{name} {lock.describe()}"
        if lock.age_seconds > limit:
            return Check("locks", False, f"{words}, ID {lock.id}", remedy)
        held.append(words)
    return Check("locks", True, "; ".join(held) or "none is held")


async def _find_locks(config: AwsConfig) -> AsyncIterator[tuple[str, Lock, str]]:
    """Yield each lock with the name of its state, and what to do if its holder is dead."""
    places = await asyncio.to_thread(find_places, config)
    if places is None:
        for colour in COLOURS:
            folder = config.terraform / colour
            lock = await asyncio.to_thread(read_local_lock, folder)
            if lock is not None:
                yield f"the state in {folder}", lock, describe_unlock(folder, lock.id)
        return
    api = open_s3(config)
    for place in places:
        lock = await read_lock(api, place)
        if lock is not None:
            yield place.key, lock, describe_unlock(config.terraform / place.colour, lock.id)


def _describe_backend() -> str:
    settings: Mapping[str, str] = {"bucket": "…", "region": "…", "kms_key_id": "…"}
    written = ", ".join(f'{name} = "{value}"' for name, value in settings.items())
    return f"set `backend` of the environment in isshoni.toml: {{ {written} }} (docs/aws.md)"

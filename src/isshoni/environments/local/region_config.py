"""Settings of the regions of a local environment: two whole platforms on one machine."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from isshoni.environments.local.ports import RegionPorts
from isshoni.rollout.plan import Settings

REGION_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_RESERVED = re.compile(r"(blue|green)(-\d{1,2})?")


class RegionConfig(Settings):
    """Settings of one region; all others are those of `[environments.local]`."""

    state_dir: Path | None = None
    """Its data, logs and journal; None: `regions/NAME` in the environment's `state_dir`."""
    ports: RegionPorts = RegionPorts()
    url: Annotated[str, Field(pattern=r"^https?://[^/\s,]+$")] | None = None
    """The origin that users open, as in `https://west.example.org`; None: its public port."""


def check_regions(regions: Mapping[str, RegionConfig]) -> None:
    """Raise `ValueError` unless there are no regions, or two with good names."""
    for name in regions:
        if not REGION_NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a name of a region: use up to 32 small letters, digits and -, "
                "with a letter first, and not the name of a slot"
            )
    if len(regions) not in (0, 2):
        raise ValueError(f"there must be two regions, not {len(regions)}: {', '.join(regions)}")
    _refuse_shared(regions)


def _refuse_shared(regions: Mapping[str, RegionConfig]) -> None:
    """Raise `ValueError` if both regions have the same directory, address or port."""
    first, second = regions.values() if regions else (RegionConfig(), RegionConfig())
    for what in ("state_dir", "url"):
        mine = getattr(first, what)
        if mine is not None and mine == getattr(second, what):
            raise ValueError(f"both regions have the {what} {mine}; each needs its own")
    taken = {port: name for name, port in first.ports if port}
    for name, port in second.ports:
        if port in taken:
            raise ValueError(f"{name} of a region has port {port}, as {taken[port]} of the other")

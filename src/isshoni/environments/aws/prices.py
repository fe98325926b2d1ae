"""Estimate what machines cost, from a small table of list prices."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

_HOURS_A_MONTH = 730.0


class Prices(msgspec.Struct, frozen=True):
    """List prices in US dollars, of one region and month."""

    as_of: str
    region: str
    disk_gb_month: float
    machine_hour: dict[str, float]

    def estimate_hour(self, machine: str, count: int, disk_gb: int) -> float | None:
        """Return what machines with their disks cost an hour; None without a price."""
        price = self.machine_hour.get(machine)
        if price is None:
            return None
        return count * (price + disk_gb * self.disk_gb_month / _HOURS_A_MONTH)


@cache
def read_prices() -> Prices:
    """Return the table of prices in this package."""
    text = (files("isshoni.environments.aws") / "prices.toml").read_text()
    return msgspec.convert(tomllib.loads(text), Prices)

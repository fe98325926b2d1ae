"""The costs in the guide to AWS follow from the table of prices that the command uses."""

import re
from pathlib import Path

from isshoni.environments.aws.prices import read_prices

_DOCUMENT = Path(__file__).parents[2] / "docs" / "aws.md"
_DISK_GB, _HOURS_A_MONTH = 30, 730


def test_the_guide_and_the_command_know_the_same_prices() -> None:
    (row,) = re.findall(r"^\| machines, one colour \|.*$", _DOCUMENT.read_text(), re.MULTILINE)
    found = re.findall(r"(\d+) × ([a-z0-9.]+): (\d+)", row)
    assert len(found) == 2
    for count, machine, dollars in found:
        hour = read_prices().estimate_hour(machine, int(count), _DISK_GB)
        assert hour is not None, machine
        assert abs(hour * _HOURS_A_MONTH - int(dollars)) < 0.15 * int(dollars), row

"""Which region may write, and proofs of it that only a server can make."""

import pytest

from isshoni.session.region import (
    RegionMac,
    RegionRecord,
    find_state,
    is_region_name,
    read_proof,
)

MACS = RegionMac("a secret of the tests, 32 bytes long")


@pytest.mark.parametrize(
    ("record", "is_replica", "state"),
    [
        (None, False, "serving"),
        (None, True, "standby"),
        (RegionRecord(1, "east"), False, "serving"),
        (RegionRecord(1, "east"), True, "fenced"),
        (RegionRecord(1, "west"), False, "standby"),
        (RegionRecord(1, "west"), True, "standby"),
        (RegionRecord(1, ""), False, "fenced"),
        (RegionRecord(1, ""), True, "standby"),
    ],
)
def test_a_region_writes_only_if_the_record_names_it_and_its_redis_is_a_primary(
    record: RegionRecord | None, is_replica: bool, state: str
) -> None:
    assert find_state("east", record, is_replica=is_replica) == state


def test_a_proof_is_verified_by_every_process_with_the_secret() -> None:
    record = RegionRecord(7, "east-2")
    assert RegionMac("a secret of the tests, 32 bytes long").verify(MACS.sign(record)) == record
    assert RegionMac("another secret of the tests, 32 bytes").verify(MACS.sign(record)) is None


@pytest.mark.parametrize(
    "forged",
    [
        "",
        ".",
        "8.east",
        "8.east.",
        "8.east." + "A" * 22,
        "x.east.m",
        "-1.east.m",
        "8.blue.m",
        "9" * 40 + ".east.m",
        "8.east.ü",
        "８.east.m",
        "8.east.m" * 100,
    ],
)
def test_a_forged_proof_proves_nothing(forged: str) -> None:
    assert MACS.verify(forged) is None


def test_a_proof_of_one_term_or_region_does_not_prove_another() -> None:
    mac = MACS.sign(RegionRecord(7, "east")).rpartition(".")[2]
    for other in ("8.east", "7.west", "7.", "07.east"):
        assert MACS.verify(f"{other}.{mac}") is None or other == "07.east"
    assert read_proof("7.east.m") == RegionRecord(7, "east")


@pytest.mark.parametrize("name", ["", "East", "blue", "green-1", "1a", "a" * 33, "a.b", "a b"])
def test_a_name_that_could_be_a_colour_or_break_a_proof_is_refused(name: str) -> None:
    assert not is_region_name(name)

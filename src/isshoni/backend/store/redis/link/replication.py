"""How many replicas of a primary are connected, by its own INFO."""

from collections.abc import Iterator, Mapping


def parse_info(text: bytes) -> dict[str, str]:
    """Parse the answer to INFO; lines other than `name:value` are left out."""
    lines = text.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines if not line.startswith("#"))
    return {name: value.strip() for name, found, value in pairs if found}


def count_connected(info: Mapping[str, str], lag_limit_seconds: int) -> int:
    """Count the replicas that are in step and were heard from within the limit.

    A replica that loads its first copy is not among them: its state is not yet `online`.
    """
    return sum(
        fields.get("state") == "online" and _read_lag(fields) <= lag_limit_seconds
        for fields in _list_replicas(info)
    )


def _list_replicas(info: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for name, value in info.items():
        if name.startswith("slave") and name[len("slave") :].isdigit():
            yield dict(field.split("=", 1) for field in value.split(",") if "=" in field)


def _read_lag(fields: Mapping[str, str]) -> float:
    lag = fields.get("lag", "")
    return int(lag) if lag.isdigit() else float("inf")

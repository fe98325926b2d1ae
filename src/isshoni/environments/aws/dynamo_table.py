"""Read and write rows of plain values in a DynamoDB table."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.errors import ConflictFault
from isshoni.environments.aws.shared_clock import SharedClock

Key = tuple[str, str]
Row = dict[str, str | float]
Part = dict[str, Any]
"""One part of a transaction."""

PARTITION, SORT = "pk", "sk"
_CONFLICT_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2)
"""Pauses before a retry when another transaction uses one of the rows at that moment."""


class DynamoTable:
    """A table with consistent reads and conditional writes, which raise `ConditionFailed`."""

    def __init__(self, api: AwsApi, name: str, clock: SharedClock) -> None:
        self._api = api
        self._clock = clock
        self.name = name

    def read(self, key: Key) -> Row | None:
        """Return one row; None if it does not exist."""
        answer = self._call("get_item", Key=_write(_name(key)), ConsistentRead=True)
        return _read(answer["Item"]) if "Item" in answer else None

    def read_all(
        self,
        partition: str,
        *,
        since: str = "",
        until: str = "",
        newest: bool = False,
        limit: int | None = None,
        only: Sequence[str] = (),
    ) -> list[Row]:
        """Return the rows of a partition from sort key `since` on, to `until`, in order.

        `only`: with these fields and the sort key instead of all.
        """
        rows: list[Row] = []
        bounds = {":p": partition, ":s": since or " ", **({":u": until} if until else {})}
        within = "BETWEEN :s AND :u" if until else ">= :s"
        start: dict[str, Any] = {}
        while limit is None or len(rows) < limit:
            answer = self._call(
                "query",
                KeyConditionExpression=f"{PARTITION} = :p AND {SORT} {within}",
                ExpressionAttributeValues=_write(bounds),
                ConsistentRead=True,
                ScanIndexForward=not newest,
                **({"Limit": limit} if limit is not None else {}),
                **({"ProjectionExpression": ", ".join([SORT, *only])} if only else {}),
                **start,
            )
            rows += [_read(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        return rows[:limit]

    def update(
        self, key: Key, expression: str, condition: str, values: Mapping[str, str | float]
    ) -> None:
        """Change one row; raises `ConditionFailed` unless `condition` is true."""
        self._call("update_item", **_change(key, expression, condition, values))

    def transact(self, *parts: Part) -> None:
        """Write all parts or none; a retry by botocore has the same token, so it is done once."""
        for pause_seconds in (*_CONFLICT_PAUSES_SECONDS, None):
            try:
                self._api_call("transact_write_items", TransactItems=list(parts))
                return
            except ConflictFault:
                if pause_seconds is None:
                    raise
                time.sleep(pause_seconds * random.uniform(0.5, 1.5))

    def part_check(self, key: Key, condition: str, values: Mapping[str, str | float]) -> Part:
        """Return a part of a transaction that checks a condition."""
        return {"ConditionCheck": {"TableName": self.name, **_change(key, None, condition, values)}}

    def part_update(
        self, key: Key, expression: str, condition: str, values: Mapping[str, str | float]
    ) -> Part:
        """Return a part of a transaction that changes a row."""
        changed = _change(key, expression, condition, values)
        return {"Update": {"TableName": self.name, **changed}}

    def part_put(self, key: Key, row: Row) -> Part:
        """Return a part of a transaction that writes a row."""
        return {"Put": {"TableName": self.name, "Item": _write({**_name(key), **row})}}

    def _call(self, operation: str, **arguments: Any) -> Answer:
        return self._api_call(operation, TableName=self.name, **arguments)

    def _api_call(self, operation: str, **arguments: Any) -> Answer:
        answer = self._api.call_now("dynamodb", operation, **arguments)
        self._clock.measure(answer["ResponseMetadata"]["HTTPHeaders"].get("date"))
        return answer


def _name(key: Key) -> Row:
    return {PARTITION: key[0], SORT: key[1]}


def _change(
    key: Key, expression: str | None, condition: str, values: Mapping[str, str | float]
) -> dict[str, Any]:
    change = {"Key": _write(_name(key)), "ConditionExpression": condition}
    if values:
        change["ExpressionAttributeValues"] = _write(values)
    if expression is not None:
        change["UpdateExpression"] = expression
    return change


def _write(row: Mapping[str, str | float]) -> Any:
    return {
        name: {"S": value} if isinstance(value, str) else {"N": repr(value)}
        for name, value in row.items()
    }


def _read(item: Mapping[str, Mapping[str, str]]) -> Row:
    return {name: value["S"] if "S" in value else float(value["N"]) for name, value in item.items()}

"""Words for values that pydantic refuses: its own ones have prefixes and names of classes."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

_OWN = ("value_error", "assertion_error")
"""Faults found by a validator of ours, whose message is a sentence already."""
_KINDS = {
    "missing": "is missing",
    "path_type": "must be a path",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
}
_BOUNDS = {
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
}
_TABLES = ("model_type", "model_attributes_type", "dict_type", "mapping_type", "dataclass_type")
_LISTS = ("list_type", "tuple_type", "set_type", "frozen_set_type")


def describe_fault(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, after its name: "must be 1 or more".

    `fault`: one of the errors of a `ValidationError` or a `RequestValidationError`.
    """
    kind = fault["type"]
    if kind in _OWN:
        return strip_prefix(fault)
    if kind in _TABLES:
        return "must be a table"
    if kind in _LISTS:
        return "must be a list"
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**{name: _show(it) for name, it in fault["ctx"].items()})
    words = _KINDS.get(kind) or fault["msg"].replace("Input should be", "must be", 1)
    words = re.sub(r"^must be a valid ", "must be a ", words)
    return words.replace("a integer", "a whole number")


def list_faults(faults: ValidationError) -> str:
    """Return all faults, each with its place: "bake_seconds: must be 0 or more; ..."."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or '(top)'}: {describe_fault(fault)}"
        for fault in faults.errors()
    )


def strip_prefix(fault: Mapping[str, Any]) -> str:
    """Return pydantic's message without "Value error, " or "Assertion failed, "."""
    message = str(fault["msg"])
    return message.partition(", ")[2] if fault["type"] in _OWN else message


def _show(bound: Any) -> str:
    return str(int(bound)) if isinstance(bound, float) and bound.is_integer() else str(bound)

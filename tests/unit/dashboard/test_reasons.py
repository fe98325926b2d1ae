"""Reasons are read as codes with fields; each sentence of the engine has one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import isshoni.rollout
from isshoni.dashboard.reasons import CODES, OTHER, Reason, Value, read_reasons
from isshoni.rollout.analysis.evidence import Weighed
from isshoni.rollout.analysis.failure_rates import list_failure_rates
from isshoni.rollout.plan import Thresholds

ROLLOUT = Path(isshoni.rollout.__file__).parent
REASONS_OF = {
    "Back": 0,
    "Verdict": 1,
    "end_rollout": 2,
}
"""The calls that have a reason, and its place among their arguments."""
DESCRIBE = {
    "assess_blindness",
    "assess_danger",
    "assess_formats",
    "assess_protocol",
    "assess_start",
    "assess_trouble",
    "describe_conviction",
    "describe_slot",
    "_describe_missing",
    "_describe_sick_stable",
}
"""The functions that return reasons."""


EXAMPLES = {
    "rollout.step.title": "canary 10 %",
    "seen_by_probe": "; a probe says: no answer",
    "fault": "; apply weights: no answer",
    "rollout.last_fault()": "; apply weights: no answer",
    "last": ", last exit: exit code 3",
    "what": "prove Redis",
    "count(connections, 'connection')": "1 connection",
    "count(slot.restarts, 'time')": "3 times",
    "read": "3 of 4 sessions",
    "in_force": "in force: blue 100 % / green 0 %",
    "left": "green could not be stopped; no answer",
}
"""Values that have words of their own."""

WORDS_OF_EARLIER_ENGINES = {
    "the old colour is stopped or being stopped": "old_stopped",
    "rollback asked by ann: the old colour is stopped or being stopped": "too_late",
    "end the old colour: nothing runs on green": "found",
    "confirm that the old colour is empty: nothing runs on green": "found",
}
"""Sentences that other versions write to journals which this one reads."""


@pytest.mark.parametrize("sentence", WORDS_OF_EARLIER_ENGINES)
def test_sentences_of_earlier_engines_are_understood(sentence: str) -> None:
    (reason,) = read_reasons(sentence)
    assert reason.code == WORDS_OF_EARLIER_ENGINES[sentence]
    (same,) = read_reasons(
        sentence.replace("the old colour is s", "the old version is s")
        .replace("end the old colour", "stop the old version")
        .replace("the old colour is empty", "the old slot is empty")
    )
    assert same.code == reason.code


def _find_sentences() -> Iterator[str]:
    for path in sorted(ROLLOUT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = REASONS_OF.get(node.func.id)
                if place is not None and len(node.args) > place:
                    yield from _write_out(node.args[place])
            if isinstance(node, ast.FunctionDef) and node.name in DESCRIBE:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        yield from _write_out(inner.value)


def _write_out(node: ast.expr) -> Iterator[str]:
    """Yield the sentence of a literal, with `green` or a number where it has a value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        parts = [
            _invent(ast.unparse(part.value))
            if isinstance(part, ast.FormattedValue)
            else str(ast.literal_eval(part))
            for part in node.values
        ]
        yield "".join(parts)


def _invent(expression: str) -> str:
    """Return an example of a value; `green` if any text will do."""
    return EXAMPLES.get(expression, "green")


SENTENCES = sorted(set(_find_sentences()))


def test_the_sentences_of_the_engine_are_found() -> None:
    assert len(SENTENCES) > 25


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_sentence_of_the_engine_has_a_code(sentence: str) -> None:
    assert [reason.code for reason in read_reasons(sentence)] != [OTHER], sentence


def _code(text: str) -> Reason:
    (reason,) = read_reasons(text)
    return reason


def _inner(value: Value) -> Reason:
    assert not isinstance(value, str)
    return value[0]


def test_a_reason_has_its_values_as_fields() -> None:
    assert _code("green died while clients could be on it, last exit: exit code 3: boom") == Reason(
        "died", {"colour": "green", "exit": "exit code 3: boom"}
    )
    assert _code("abort asked by ann (dashboard, from 127.0.0.1)") == Reason(
        "asked", {"kind": "abort", "who": "ann (dashboard, from 127.0.0.1)"}
    )


def test_a_conviction_has_each_rate_as_a_reason_of_its_own() -> None:
    text = (
        "canary 10 %: 5xx 31.2 % (10 of 32; limit 1 %, stable 0 %); refused handshakes 50 % "
        "(1 of 2; stable 0 %); a probe says: HTTP 500 for /"
    )
    reason = _code(text)
    assert reason.code == "found_by_probe"
    assert reason.fields["step"] == "canary 10 %"
    assert reason.fields["fault"] == "HTTP 500 for /"
    rates = reason.fields["guilt"]
    assert not isinstance(rates, str)
    assert [(it.code, it.fields["rate"], it.fields["pct"]) for it in rates] == [
        ("rate", "5xx", "31.2"),
        ("rate", "refused handshakes", "50"),
    ]


@pytest.mark.parametrize("rate", list_failure_rates(Thresholds()), ids=lambda rate: rate.name)
def test_every_rate_is_read(rate: object) -> None:
    said = Weighed(bad=3, tried=40, stable_pct=0.5).describe(rate)  # type: ignore[arg-type]
    reason = _code(said)
    assert (reason.code, reason.fields["bad"], reason.fields["tried"]) == ("rate", "3", "40")


@pytest.mark.parametrize("clients", ["1 client", "3 clients"])
def test_a_doubt_about_moves_that_are_not_taken_is_read(clients: str) -> None:
    text = f"not sure yet: green does not take {clients} that blue serves (unreachable 1)"
    doubt = _inner(_code(text).fields["why"])
    assert (doubt.code, doubt.fields["count"]) == ("not_taken", clients.split()[0])
    assert (doubt.fields["stable"], doubt.fields["found"]) == ("blue", "unreachable 1")


def test_a_stuck_rollback_names_what_began_it_and_what_stops_it() -> None:
    text = (
        "green died while clients could be on it; cannot roll back, blue fails the balancer's "
        "health check; weights applied: blue 0 % / green 100 %. Repair it, then "
        "`isshoni rollback` continues"
    )
    reason = _code(text)
    assert reason.code == "stuck_back"
    assert _inner(reason.fields["reason"]).code == "died"
    why = _inner(reason.fields["why"])
    assert (why.code, _inner(why.fields["slot"]).code) == ("cannot_roll_back", "unhealthy")
    assert reason.fields["weights"] == "blue 0 % / green 100 %"


@pytest.mark.parametrize("text", ["something new", "a; b; c", "x" * 5_000, "(; " * 600])
def test_a_sentence_without_a_pattern_is_shown_as_it_is(text: str) -> None:
    assert read_reasons(text) == [Reason(OTHER, {"text": text})]


@pytest.mark.parametrize(
    "text",
    [
        "green should be idle, but 3 connections are on it: wait until they are gone",
        "green should be idle, but has 3 connections: wait until they are gone",
    ],
)
def test_sentences_of_earlier_versions_are_read_too(text: str) -> None:
    assert _code(text) == Reason("not_idle", {"colour": "green", "count": "3"})


def test_nothing_is_no_reason() -> None:
    assert read_reasons("") == []


def test_codes_are_words_for_programs() -> None:
    assert all(code.replace("_", "").isalpha() and code.islower() for code in CODES)

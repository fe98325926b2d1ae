"""Read the engine's reasons as codes with fields, so that the page can show translations.

The journal stores a reason as one English sentence: every version of the engine can read that,
and can take over a rollout of any other. Here each sentence is taken apart again by the pattern of
its code, so reasons in old journals are understood as well. A test compares the patterns with all
sentences in `isshoni.rollout`.
"""

import re
from dataclasses import dataclass

from isshoni.rollout.steps import TABLE

Value = str | list["Reason"]


@dataclass(frozen=True)
class Reason:
    """A reason: its code, and fields that are texts or further reasons."""

    code: str
    fields: dict[str, Value]


OTHER = "other"
"""The code of a sentence that has no pattern: its `text` is shown as it is."""

_NESTED = frozenset({"slot", "why", "guilt", "verdict", "missing", "reason"})
"""Fields that are reasons themselves."""

_PATTERNS: tuple[tuple[str, str], ...] = (
    # The whole of a rollout
    ("promoted", "{label} on {colour} is the stable one"),
    ("unreadable", "the environment could not be read for {seconds} s: {fault}"),
    (
        "stuck_back",
        "{reason}; {why}; weights applied: {weights}. Repair it, then `isshoni rollback` continues",
    ),
    ("stuck_blind", "{reason}; and the environment cannot be read: {fault}"),
    ("stuck_forward", "clients are on {colour} and {stopped} is stopped, but {slot}"),
    ("not_stopped", "{reason}; {colour} could not be stopped; {fault}"),
    ("cannot_roll_back", "cannot roll back, {slot}"),
    ("keeps_sending", "{colour} does not stop sending sessions away{fault:.*}"),
    # Refused requests
    ("no_bake", "no rollout is running, so there is no bake to skip"),
    ("none_running", "no rollout is running, so there is none to {verb}"),
    ("ended_by_now", "rollout {id} has ended by now: {outcome}"),
    ("no_engine", "no engine works on rollout {id} of {label}, which stays as it is: {:.*}"),
    ("no_answer", "the engine has not answered in {seconds} s; {:.*}"),
    ("too_late", "{kind:rollback|abort|pause|resume|skip_bake} asked by {who}: {why:REFUSAL}"),
    ("asked", "{kind:rollback|abort} asked by {who}"),
    ("is_rolled_back", "it is being rolled back"),
    ("old_stopped", "the old {:version|colour} is stopped or being stopped"),
    ("is_rollback", "it is a rollback already; `isshoni abort` cancels it"),
    ("nothing_to_skip", "there is nothing to skip at this step"),
    ("command_runs", "`isshoni {verb}` is running: wait until it has ended"),
    ("rollout_runs", "rollout {id} is running: wait until it has ended"),
    ("another_began", "another rollout has begun since: look at it first"),
    ("not_allowed", "this dashboard does not deploy: start it with {:.*}"),
    ("unfit_version", "{version} cannot be deployed from here: {:.*}"),
    ("is_live", "{label} is live: there is nothing to roll back"),
    ("no_previous", "there is no rollout to roll back, and no release before this one"),
    # The start
    ("not_home", "the applied weights are {weights}, not {home}: `isshoni rollback` {:.*}"),
    ("not_idle", "{colour} should be idle, but has {count} {:connections?}: {:.*}"),
    ("not_idle", "{colour} should be idle, but {count} connections are on it: {:.*}"),
    ("fix_with_force", "{reason}. If this deploy is the fix, run it again with --force"),
    ("stable_sick", "the stable colour is not well: {slot}"),
    ("stable_silent", "the stable colour, {colour}, does not answer on its admin port{:.*}"),
    ("not_prepared", "{label} could not be prepared: {fault}"),
    ("prepare_late", "{label} was not prepared within {seconds} s"),
    ("died_starting", "{colour} died {count} {:times?} while starting: {exit}"),
    ("not_healthy", "not healthy within {seconds} s: {slot}"),
    ("cannot_start", "{colour:blue|green} cannot be started: {fault}"),
    ("not_started", "{colour} was not started within {seconds} s{fault:.*}"),
    ("read_only_some", "{colour} could read only {read} of {sampled} sessions: {fault}"),
    ("not_proven", "{colour} could not prove Redis: {fault}"),
    ("not_relayed", "{colour} could not be reached by the relay: {fault}"),
    ("formats", "{writer} writes what {reader} cannot read: {formats}. Deploy a version {:.*}"),
    (
        "protocols",
        "{label} speaks version {version} of the wire protocol and {other} version {spoken}: "
        "clients of one {:.*}",
    ),
    (
        "probes_protocol",
        "{label} speaks version {version} of the wire protocol, which the probes {:.*}",
    ),
    # While clients are on the candidate
    ("died", "{colour} died while clients could be on it, last exit: {exit}"),
    ("died", "{colour} died while clients could be on it"),
    ("may_be_cause", "{slot}; {stable} too, for {seconds} s: {colour} may be the cause"),
    ("alarms", "went off while clients could be on {colour}: {alarms}"),
    ("bake_over", "at {weight} %, still when the bake was over: {verdict}"),
    (
        "weights_refused",
        "the balancer did not take {weights} within {seconds} s, in force: {applied}",
    ),
    ("weights_refused", "the balancer does not take {weights}{fault:.*}"),
    (
        "none_moved",
        "none of {total} clients could be moved: {to} {did}, which {colour} had accepted",
    ),
    ("found_by_probe", "{step:STEP}: {guilt}; a probe says: {fault}"),
    ("found", "{step:STEP}: {guilt}"),
    # Verdicts
    ("within_limits", "within every limit in {count} attempts"),
    ("nothing_bad", "nothing bad so far, but {missing}"),
    ("few_attempts", "only {count} attempts, {needed} are needed"),
    ("few_probes", "only {count} probes could enter ({tried} tried); {needed} are needed"),
    ("probes_unacked", "no message of a probe was acknowledged"),
    ("not_sure", "not sure yet: {why}"),
    ("shared", "{slot}; {colour:blue|green} has it too"),
    (
        "rate",
        "{rate:RATE} {pct:NUMBER} % ({bad:\\d+} of {tried:\\d+}; limit {limit:NUMBER} %, "
        "stable {stable:NUMBER} %)",
    ),
    ("rate", "{rate:RATE} {pct:NUMBER} % ({bad:\\d+} of {tried:\\d+}; stable {stable:NUMBER} %)"),
    (
        "lag",
        "{name:[a-z/ ]+} {value:NUMBER} ms (limit {limit:NUMBER} ms, stable {stable:NUMBER} ms)",
    ),
    (
        "not_taken",
        "{colour:blue|green} does not take {count} {:clients?} that {stable:blue|green} serves "
        "({found})",
    ),
    # A slot
    ("empty", "nothing runs on {colour}"),
    ("not_running", "{colour:blue|green} is not running ({exit})"),
    ("not_ready", "{colour:blue|green} is not ready: {trouble}"),
    ("unhealthy", "{colour:blue|green} fails the balancer's health check ({:.*})"),
    ("unhealthy", "{colour:blue|green} fails the balancer's health check"),
    ("relay_silent", "the relay, for {colour}, does not answer on its admin port"),
    ("silent", "{colour:blue|green} does not answer on its admin port"),
    ("sides_down", "not running: {programs}"),
    ("well", "{colour:blue|green} is well"),
    ("no_save", "nothing can be saved: {fault}"),
)


_EARLIER_TITLES = ("confirm that the old colour is empty", "end the old colour")
"""Titles of steps that engines up to 0.2.0 write."""
_TITLES = (*(title for _, _, title in TABLE), *_EARLIER_TITLES)
_EXPRESSIONS = {
    "STEP": "|".join(re.escape(title).replace(r"\{weight\}", r"\d+") for title in _TITLES),
    "REFUSAL": "it is .*|the old (?:version|colour) .*|there is nothing .*",
    "RATE": "[a-zA-Z0-9 ]+?",
    "NUMBER": r"[-+.e\d]+",
}
"""The expressions that patterns name."""


def _compile(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern; a field without one of its own is any text."""
    parts: list[str] = []
    for literal, name, expression in re.findall(
        r"([^{]*)(?:\{(\w*)(?::((?:[^{}])*))?\})?", pattern
    ):
        parts.append(re.escape(literal))
        if name:
            words = _EXPRESSIONS.get(expression, expression) or ".+?"
            parts.append(f"(?P<{name}>{words})")
        elif expression:
            parts.append(f"(?:{expression})")
    return re.compile("".join(parts), re.DOTALL)


_COMPILED = tuple((code, _compile(pattern)) for code, pattern in _PATTERNS)
CODES = tuple(dict.fromkeys(code for code, _ in _PATTERNS))
_SEPARATOR = re.compile(r"; (?![^()]*\))")
"""Between two reasons, but not inside the parentheses of one."""
MAX_CHARACTERS = 2_000
"""A longer reason quotes a program at length; it is not taken apart."""


def read_reasons(text: str) -> list[Reason]:
    """Return the reasons that a sentence of the engine consists of; none if it is empty."""
    if not text:
        return []
    if len(text) > MAX_CHARACTERS:
        return [_as_other(text)]
    if reason := _match(text):
        return [reason]
    parts = _SEPARATOR.split(text)
    if len(parts) > 1:
        reasons = [_match(part) or _as_other(part) for part in parts]
        if any(reason.code != OTHER for reason in reasons):
            return reasons
    return [_as_other(text)]


def _match(text: str) -> Reason | None:
    for code, pattern in _COMPILED:
        if found := pattern.fullmatch(text):
            return Reason(code, {name: _read(name, it) for name, it in found.groupdict().items()})
    return None


def _read(name: str, text: str) -> Value:
    return read_reasons(text) if name in _NESTED else text.removeprefix("; ")


def _as_other(text: str) -> Reason:
    return Reason(OTHER, {"text": text})

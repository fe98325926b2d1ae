"""The ledger of the canvas."""

import pytest

from isshoni.verify.edits import FRESH_READER, EditLedger


def _drawn(edits: int = 3) -> EditLedger:
    ledger = EditLedger()
    user = ledger.add_user("team")
    for version in range(1, edits + 1):
        ledger.record_drawn(user, f"e-{version % 2}", version)
    ledger.record_saved(user, edits)
    return ledger


def test_final_documents_that_hold_the_last_versions_lost_nothing() -> None:
    ledger = _drawn()
    for reader in ("c-0", FRESH_READER):
        ledger.record_final("team", reader, {"e-1": {"version": 3}, "e-0": {"version": 2}})
    findings = ledger.judge()
    assert (findings.sent, findings.saved, findings.lost) == (3, 3, 0)
    assert findings.diverged_sessions == ()


@pytest.mark.spec("A4", "E1")
def test_saved_edits_that_the_final_document_lacks_are_lost() -> None:
    ledger = _drawn()
    ledger.record_final("team", FRESH_READER, {"e-1": {"version": 1}})
    assert ledger.judge().lost == 2


def test_edits_that_were_not_saved_are_not_lost() -> None:
    ledger = EditLedger()
    user = ledger.add_user("team")
    ledger.record_drawn(user, "e-1", 1)
    ledger.record_final("team", FRESH_READER, {})
    assert ledger.judge().lost == 0
    assert not ledger.everything_saved()


def test_users_with_different_canvases_diverge() -> None:
    ledger = _drawn()
    ledger.record_final("team", "c-0", {"e-1": {"version": 3}})
    ledger.record_final("team", "c-1", {"e-1": {"version": 2}})
    assert ledger.judge().diverged_sessions == ("team",)


def test_the_order_of_keys_is_no_difference() -> None:
    ledger = _drawn()
    ledger.record_final("team", "c-0", {"a": {"x": 1, "y": 2}, "b": {}})
    ledger.record_final("team", "c-1", {"b": {}, "a": {"y": 2, "x": 1}})
    assert ledger.judge().diverged_sessions == ()


def test_a_hostile_version_counts_as_none() -> None:
    ledger = _drawn()
    ledger.record_final("team", FRESH_READER, {"e-1": {"version": "999"}, "e-0": ["version"]})
    assert ledger.judge().lost == 3


def test_elements_that_no_user_of_the_session_drew_are_foreign() -> None:
    ledger = _drawn()
    other = ledger.add_user("other team")
    ledger.record_drawn(other, "e-9", 1)
    ledger.record_final("team", FRESH_READER, {"e-1": {"version": 3}, "e-9": {"version": 1}})
    assert ledger.judge().foreign == 1

"""Make chat events, each with its MAC, from log entries; unreadable entries are reported."""

import logging

from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import Entry
from isshoni.session.messages import event_frame
from isshoni.session.recovery import LogMac

_MAX_REPORTED = 1000
_UNREADABLE = b'{"client_id":"unreadable","n":0,"text":"","at":0,"unreadable":true}'


class EventMaker:
    """Makes the events of one session.

    An entry that cannot be read is sent as an event without text, so that no seq is ever
    skipped; it is counted and logged once, and stays in the log as it is.
    """

    def __init__(self, session_id: str, macs: LogMac, counters: Counters) -> None:
        self._session_id = session_id
        self._macs = macs
        self._signer = macs.begin(session_id, "")
        self._epoch = ""
        self._counters = counters
        self._reported: set[int] = set()

    def make(self, epoch: str, entry: Entry) -> bytes:
        """Make the event of an entry."""
        fault = find_envelope_fault(entry)
        if fault is not None:
            self._report(entry.seq, fault)
            return event_frame(entry.seq, _UNREADABLE)
        if epoch != self._epoch:
            self._signer, self._epoch = self._macs.begin(self._session_id, epoch), epoch
        return event_frame(entry.seq, entry.payload, self._signer.sign(entry.seq, entry.payload))

    def _report(self, seq: int, fault: str) -> None:
        if seq in self._reported or len(self._reported) >= _MAX_REPORTED:
            return
        self._reported.add(seq)
        self._counters.chat_poison += 1
        log_event(
            "chat_unreadable",
            level=logging.ERROR,
            session=self._session_id,
            seq=seq,
            reason=fault,
        )

"""What a process of stock clients reports: lines of JSON, each a list of events."""

from typing import Any

import msgspec

from isshoni.verify.clock import RunClock
from isshoni.verify.stock.recorder import Recorder

_decode = msgspec.json.Decoder(list[list[Any]]).decode


class Events:
    """Applies the events of client processes to the books of a run."""

    def __init__(self, recorder: Recorder, clock: RunClock) -> None:
        self.documents_read = 0
        """How many processes have reported the documents of their clients."""
        self.processes_started = 0
        """How many processes have begun to connect their clients."""
        self._recorder = recorder
        self._clock = clock

    def apply_line(self, line: bytes) -> None:
        """Apply one line of events; raises `msgspec.MsgspecError` for one that is none."""
        for name, *values in _decode(line):
            getattr(self, f"_{name}")(*values)

    def _started(self) -> None:
        self.processes_started += 1

    def _opened(self, client: int, at: float, recovered: bool = False) -> None:
        self._recorder.record_opened(client, self._clock.from_monotonic(at), recovered)

    def _closed(self, client: int, at: float, code: int | None, reason: str) -> None:
        self._recorder.record_closed(client, self._clock.from_monotonic(at), code, reason)

    def _failed(self, client: int, at: float, outcome: str, detail: str) -> None:
        self._recorder.record_failed(client, self._clock.from_monotonic(at), outcome, detail)

    def _sent(self, client: int, at: float, n: int) -> None:
        self._recorder.record_sent(client, self._clock.from_monotonic(at), n)

    def _taken(self, client: int, n: int) -> None:
        self._recorder.record_taken(client, n)

    def _refused(self, client: int) -> None:
        self._recorder.record_refused(client)

    def _acknowledged(self, client: int, n: int, text: str) -> None:
        self._recorder.record_acknowledged(client, n, text)

    def _frame(self, client: int, at: float, frame: str) -> None:
        self._recorder.record_frame(client, self._clock.from_monotonic(at), frame)

    def _document(self, reader: str, room: str, digest: str) -> None:
        self._recorder.record_document(reader, room, digest)

    def _read(self) -> None:
        self.documents_read += 1

    def _removed(self, count: int) -> None:
        self._recorder.record_removal(count)

    def _trouble(self, sentence: str) -> None:
        self._recorder.trouble.append(sentence)

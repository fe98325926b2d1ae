"""The limits that docs/limits.md names are those of the code."""

import pytest
from tools.docs.stage import ROOT

from isshoni.backend.settings.limits import Limits
from isshoni.backend.store.redis.store_settings import StoreSettings
from isshoni.environments.local.process_names import MAX_PROCESSES
from isshoni.session import chat_content, messages, recovery

LIMITS, STORE = Limits(), StoreSettings()
ROWS = {
    "a chat message": f"{messages.MAX_TEXT_CHARACTERS:,} characters",
    "one file or image": f"{LIMITS.file_bytes >> 20} MiB",
    "files of a message": f"{chat_content.MAX_FILES}",
    "all files of a session": f"{LIMITS.files_bytes >> 20} MiB",
    "one element of a canvas, as it is sent": f"{messages.MAX_CANVAS_FRAME_BYTES >> 20} MiB",
    "a canvas as it is stored": f"{LIMITS.canvas_bytes // 1_000_000} MB",
    "a cursor, selection or name that is shown to others": f"{LIMITS.awareness_bytes >> 10} KiB",
    "connections of a session in one process": f"{LIMITS.connections_per_session:,}",
    "messages in the log": f"the last {STORE.chat_retention:,}, or all of the offline window; "
    f"{STORE.chat_ceiling:,} at most",
    "messages that a new client gets at once": f"{messages.MAX_HISTORY_PAGE}",
    "messages that a client keeps, to send again what Redis lost": f"{messages.MAX_RECALLED:,} or "
    f"{recovery.TAIL_BYTES >> 10} KiB",
    "messages": f"{LIMITS.chat.per_second:g} a second, {LIMITS.chat.burst:,.0f} at once",
    "changes of the canvas": f"{LIMITS.canvas_frames.per_second:g} frames a second, "
    f"{LIMITS.canvas_frame_bytes.per_second / 1e6:g} MB a second",
    "cursor movements": f"{LIMITS.awareness_per_second:g} a second",
    "pings, restores and the like": f"{LIMITS.requests.per_second:g} a second, "
    f"{LIMITS.requests.burst:g} at once",
    "connections of a process": f"{LIMITS.connections:,}",
    "sessions that are open in a process": f"{LIMITS.sessions:,}",
    "connections from one address": f"{LIMITS.connections_per_address}",
    "memory for all connections of an address": f"{LIMITS.address_bytes >> 20} MiB",
    "HTTP requests on sessions from one address": f"{LIMITS.http.per_second:g} a second, "
    f"{LIMITS.http.burst:g} at once",
    "processes of a slot": f"{MAX_PROCESSES}",
}


@pytest.mark.parametrize("name", ROWS)
def test_a_limit_is_that_of_the_code(name: str) -> None:
    text = (ROOT / "docs" / "limits.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    assert len(rows) == 1
    assert rows[0].split("|")[2].strip().startswith(ROWS[name])

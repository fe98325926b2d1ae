"""Write a chat log as text that shows the conversation as it is now, in bounded memory."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET

from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import Entry
from isshoni.session.chat_content import DELETE, EDIT, REACT, About, ChatFile, read_about
from isshoni.session.conversation import ACTS, Act, Message, may_act, read_author, show_message
from isshoni.session.from_server import ChatEvent
from isshoni.session.messages import ChatEnvelope

MAX_INDEX_BYTES = 8 << 20
"""What an export keeps of edits, deletions, reactions and quoted messages."""
_OVERHEAD_BYTES = 400
_QUOTED_CHARACTERS = 60
_MAX_NAME_CHARACTERS = 40
"""As on the page."""
_envelopes = msgspec.json.Decoder(ChatEnvelope)

Name = tuple[str, int]
"""The client_id and n of a message."""


class ActIndex:
    """The acts of a log, by the messages that they are about: of each author the last ones.

    Once they take more than `max_bytes`, later ones are not added (`covers`).
    """

    def __init__(self, max_bytes: int = MAX_INDEX_BYTES) -> None:
        self.last_seq = 0
        """The last entry that was read."""
        self.quoted: set[Name] = set()
        """Messages that others answer."""
        self._acts: dict[Name, dict[tuple[str, ...], Act]] = {}
        self._room_bytes = max_bytes
        self._covered_seq: int | None = None

    def add(self, entries: Iterable[Entry]) -> None:
        """Add the next entries of the log."""
        for entry in entries:
            self.last_seq = entry.seq
            # Most messages are about no other: they need not be decoded twice.
            if b'"about"' in entry.payload and (event := read_event(entry)) is not None:
                self._add(event)

    def covers(self, seq: int) -> bool:
        """True if an act at this seq was added, or would have been."""
        return self._covered_seq is None or seq <= self._covered_seq

    def take(self, message: ChatEvent) -> list[Act]:
        """Remove and return the acts about a message, in order; messages come in order, too."""
        of_name = self._acts.get((message.client_id, message.n), {})
        mine = [key for key, act in of_name.items() if _is_about(act, message)]
        return sorted(of_name.pop(key) for key in mine)

    def _add(self, event: ChatEvent) -> None:
        about = read_about(event.about)
        if about is None or not self.covers(event.seq):
            return
        name = (about.client_id, about.n)
        self._room_bytes -= _OVERHEAD_BYTES + 4 * len(event.text)
        if self._room_bytes < 0:
            self._covered_seq = event.seq - 1
        elif about.kind in ACTS:
            emoji = "" if about.kind in (EDIT, DELETE) else event.text
            what = about.kind if about.kind in (EDIT, DELETE) else REACT
            key = (what, about.by or "", read_author(event).key, emoji)
            before = self._acts.setdefault(name, {}).get(key)
            self._room_bytes += _OVERHEAD_BYTES + 4 * len(before.event.text) if before else 0
            self._acts[name][key] = Act(event.seq, event, about)
        else:
            self.quoted.add(name)


class ChatText:
    """Formats the entries of a log, which come in order, after an `ActIndex` has read them all."""

    def __init__(self, names: Mapping[str, str], acts: ActIndex) -> None:
        self.acts = acts
        self._names = names
        self._quotes: dict[Name, list[tuple[str | None, str]]] = {}
        """Name of a quoted message → its user, and the beginning of its text."""

    def format(self, entry: Entry) -> str:
        """Return the lines of an entry: time (UTC), author, text; further lines are indented.

        Empty for an act that the line of its message shows.
        """
        event = read_event(entry)
        if event is None:
            return f"#{entry.seq}: cannot be read by this version\n"
        about = read_about(event.about)
        if about is not None and about.kind in ACTS:
            is_shown = self.acts.covers(event.seq)
            return "" if is_shown else self._format_line(event, _describe_act(event, about))
        message = show_message(event, self.acts.take(event))
        self._keep_quote(event, message)
        text = "(deleted)" if message.deleted else message.text
        edited = " (edited)" if message.edited else ""
        return self._format_line(event, text + edited, *self._list_details(message))

    def _format_line(self, event: ChatEvent, text: str, *details: str) -> str:
        lines = [*text.splitlines(), *details] or [""]
        return f"{_format_time(event.at)}  {self._find_author(event)}: {_indent(lines)}\n"

    def _list_details(self, message: Message) -> list[str]:
        details = []
        if message.reply_to is not None:
            details.append(f"> {self._find_quote(message.reply_to)}")
        details += [f"file: {_describe_file(file)}" for file in message.files]
        if message.reactions:
            reactions = message.reactions.items()
            details.append("  ".join(f"{_flatten(it)} {len(authors)}" for it, authors in reactions))
        return details

    def _find_author(self, event: ChatEvent) -> str:
        return event.name or self._names.get(event.client_id, event.client_id)

    def _keep_quote(self, event: ChatEvent, message: Message) -> None:
        name = (event.client_id, event.n)
        if name in self.acts.quoted:
            text = _flatten("(deleted)" if message.deleted else message.text)
            short = text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "…"
            quote = f"{self._find_author(event)}: {short}"
            self._quotes.setdefault(name, []).append((event.by, quote))

    def _find_quote(self, about: About) -> str:
        quotes = self._quotes.get((about.client_id, about.n), [])
        meant = (quote for by, quote in quotes if about.by in (None, by))
        return next(meant, "a message that is not here")


def read_event(entry: Entry) -> ChatEvent | None:
    """Return an entry as the event that clients are sent; None if it cannot be read."""
    if find_envelope_fault(entry) is not None:
        return None
    read = _envelopes.decode(entry.payload)
    by, name, about, files = (
        None if field is UNSET else field for field in (read.by, read.name, read.about, read.files)
    )
    try:
        return ChatEvent(
            entry.seq, read.client_id, read.n, read.text, read.at, by, name, False, about, files
        )
    except ValueError:
        return None


def read_names(entered: bytes) -> dict[str, str]:
    """Return the names that users of the page have chosen, by client id.

    The page keeps them in the document. Any client may write anything there.
    """
    entries = msgspec.json.decode(entered) or {}
    names = {
        client_id: " ".join(entry["name"].split())[:_MAX_NAME_CHARACTERS]
        for client_id, entry in entries.items()
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    }
    return {client_id: name for client_id, name in names.items() if name}


def _is_about(act: Act, message: ChatEvent) -> bool:
    is_meant = act.about.by is None or act.about.by == message.by
    return is_meant and may_act(act.event, act.about, message)


def _describe_act(event: ChatEvent, about: About) -> str:
    whose = f"message {about.n} of {about.client_id}"
    if about.kind == EDIT:
        return f"(edited {whose}) {event.text}"
    if about.kind == DELETE:
        return f"(deleted {whose})"
    return f"({about.kind} {_flatten(event.text)} on {whose})"


def _describe_file(file: ChatFile) -> str:
    return f"{_flatten(file.name)} ({file.bytes} bytes)" if file.bytes else _flatten(file.name)


def _flatten(text: str) -> str:
    return " ".join(text.split())


def _indent(lines: list[str]) -> str:
    return "\n    ".join(lines)


def _format_time(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"

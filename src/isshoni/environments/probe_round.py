"""One round of probes: synthetic users that connect through the balancer to one slot."""

import asyncio
import contextlib
import secrets
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlencode

from isshoni.backend.security.tickets import Tickets
from isshoni.client.client import SessionClient
from isshoni.client.listener import ClientListener
from isshoni.client.settings import ClientSettings
from isshoni.environments.http import Answer, NoAnswer
from isshoni.environments.page_requests import open_requests
from isshoni.rollout.model import Colour, ProbeTally, Release, other
from isshoni.session.backoff import BackoffPolicy
from isshoni.session.from_server import ChatEvent
from isshoni.session.identifiers import PROBE_PREFIX
from isshoni.session.server.share import is_in_share

STAYS_BELOW_PCT = 99.0
"""A probe's session is not moved by a move of up to this share."""
USERS = 6
MESSAGES_EACH = 5
READY_REQUESTS = 10
PAGE_REQUESTS = 60
"""Requests for the page; at an error rate of 2 % a round should get one error."""
REQUESTS_AT_ONCE = 4
"""Fewer than a program with a listen backlog of five, as that of Python's own server, takes."""
ENTER_SECONDS = 3.0
SAVE_SECONDS = 3.0
HEAR_SECONDS = 5.0
CLOSE_SECONDS = 1.0
MOST_CHARACTERS = 120
"""How much of an error page is quoted."""
NEVER = BackoffPolicy(first_seconds=3600.0, prompt_seconds=3600.0, longest_seconds=3600.0)
"""A refused probe does not try again: the first answer counts."""

_GONE = (204, 404, 410)


@dataclass
class _Round:
    """The counts of a round so far, and its first fault."""

    counts: Counter[str] = field(default_factory=Counter)
    fault: str | None = None

    def count(self, name: str, count: int, fault: str) -> None:
        """Add `count` failures to a counter; keep `fault` if it is the first."""
        self.counts[name] += count
        if count and self.fault is None:
            self.fault = fault


class _Ear(ClientListener):
    """Counts the messages that one probe receives: in the log, and per connection."""

    def __init__(self) -> None:
        self.texts: Counter[str] = Counter()
        self._wire: Counter[tuple[int, int]] = Counter()

    def on_chat(self, event: ChatEvent, at: float) -> None:
        """Count a message in the log."""
        self.texts[event.text] += 1

    def on_raw_chat(self, event: ChatEvent, generation: int, replayed: bool, at: float) -> None:
        """Count an event that a connection delivered, unless it was replayed."""
        if not replayed:
            self._wire[(generation, event.seq)] += 1

    @property
    def doubled(self) -> int:
        """The number of messages that came twice, in the log or on one connection."""
        twice = sum(1 for count in self.texts.values() if count > 1)
        return twice + sum(1 for count in self._wire.values() if count > 1)


class ProbeRound:
    """Sends rounds of probes to a slot; several may run at once."""

    def __init__(self, public_url: str, ticket_secret: str) -> None:
        self._public_url = public_url
        self._tickets = Tickets(ticket_secret)

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Request pages; of an Isshoni release, also join a session and send messages."""
        met = _Round()
        await self._request(colour, release, met)
        if speaks_isshoni:
            session_id = make_session_id()
            try:
                await self._visit(colour, session_id, met)
            finally:
                await self._delete(colour, session_id)
        return ProbeTally(dict(met.counts), met.fault)

    async def _request(self, colour: Colour, release: Release, met: _Round) -> None:
        """Send plain requests; the balancer counts them, so only the first error is kept."""
        places = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def ask(path: str) -> None:
            try:
                async with places:
                    answer = await send("GET", path, {"target": colour})
                if answer.status >= 500:
                    met.count("failed_requests", 1, describe_error(path, answer))
            except NoAnswer as fault:
                met.count("failed_requests", 1, str(fault))

        paths = [release.ready_path] * READY_REQUESTS + ["/"] * PAGE_REQUESTS
        async with open_requests(self._public_url) as send:
            await asyncio.gather(*(ask(path) for path in paths))

    async def _visit(self, colour: Colour, session_id: str, met: _Round) -> None:
        came: list[SessionClient] = []
        try:
            users = await self._enter(colour, session_id, met, came)
            if not users:
                return
            said = await _talk([client for client, _ in users], met)
            # Users that join now read it all from Redis; the first ones received it live.
            readers = await self._enter(colour, session_id, met, came)
            await _settle_ledger(said, [ear for _, ear in users + readers], met)
        finally:
            await asyncio.gather(*(client.aclose() for client in came))

    async def _enter(
        self, colour: Colour, session_id: str, met: _Round, came: list[SessionClient]
    ) -> list[tuple[SessionClient, _Ear]]:
        query = "?" + urlencode(self._route(colour, session_id))
        settings = ClientSettings(backoff=NEVER, close_timeout_seconds=CLOSE_SECONDS)

        async def enter() -> tuple[SessionClient, _Ear] | None:
            ear = _Ear()
            client = SessionClient(
                self._public_url.replace("http", "ws", 1),
                session_id,
                client_id=PROBE_PREFIX + secrets.token_hex(8),
                listener=ear,
                settings=settings,
                query=query,
            )
            came.append(client)
            client.start()
            return (client, ear) if await client.wait_until_restored(ENTER_SECONDS) else None

        entered = [user for user in await asyncio.gather(*(enter() for _ in range(USERS))) if user]
        away = USERS - len(entered)
        met.counts["entries"] += USERS
        met.count("turned_away", away, f"{away} of {USERS} were not let in to {session_id}")
        return entered

    def _route(self, colour: Colour, session_id: str) -> dict[str, str]:
        return {"target": colour, "ticket": self._tickets.issue(session_id, colour)}

    async def _delete(self, colour: Colour, session_id: str) -> None:
        """Delete the probes' session through the probed slot or, if that fails, the other."""
        async with open_requests(self._public_url) as send:
            for by in (colour, other(colour)):
                with contextlib.suppress(NoAnswer):
                    route = self._route(by, session_id)
                    answer = await send("DELETE", f"/sessions/{session_id}", route)
                    if answer.status in _GONE:
                        return


def describe_error(path: str, answer: Answer) -> str:
    """Describe an error with its text, which tells the balancer's errors from the release's."""
    # It is printed on terminals, so it must not contain control characters.
    printable = "".join(
        c if c.isprintable() else " " for c in answer.content.decode(errors="replace")
    )
    words = " ".join(printable.split())[:MOST_CHARACTERS]
    return f"HTTP {answer.status} for {path}" + (f": {words}" if words else "")


def make_session_id() -> str:
    """Return a session id that no move includes: the probed slot is what is measured."""
    while True:
        session_id = PROBE_PREFIX + secrets.token_hex(8)
        if not is_in_share(session_id, STAYS_BELOW_PCT):
            return session_id


async def _talk(clients: list[SessionClient], met: _Round) -> list[str]:
    """Send messages and draw; return the messages that were acknowledged."""

    async def say(client: SessionClient) -> list[str]:
        texts = [f"{client.client_id} says {count}" for count in range(MESSAGES_EACH)]
        for text in texts:
            client.send_chat(text)
        client.draw(client.client_id, {"id": client.client_id, "x": 1})
        await client.wait_until_saved(SAVE_SECONDS)
        unsaved = client.unsaved_messages + min(1, client.unsaved_edits)
        met.counts["messages"] += MESSAGES_EACH + 1
        met.count("unacked", unsaved, f"{unsaved} of {MESSAGES_EACH + 1} were not acknowledged")
        return texts[: MESSAGES_EACH - client.unsaved_messages]

    said = await asyncio.gather(*(say(client) for client in clients))
    return [text for texts in said for text in texts]


async def _settle_ledger(said: list[str], ears: list[_Ear], met: _Round) -> None:
    """Count acknowledged messages that a user has not received, and those received twice."""

    def count_missing() -> int:
        return sum(1 for text in said if any(text not in ear.texts for ear in ears))

    deadline = asyncio.get_running_loop().time() + HEAR_SECONDS
    # Messages are only counted, so there is no event to wait for.
    while count_missing() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    lost, doubled = count_missing(), max((ear.doubled for ear in ears), default=0)
    met.count("lost", lost, f"{lost} acknowledged messages did not arrive")
    met.count("doubled", doubled, f"{doubled} messages arrived twice")

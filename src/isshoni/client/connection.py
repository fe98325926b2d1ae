"""One WebSocket of a client: open, restore, receive, heartbeat, end."""

import asyncio
import time
from typing import Protocol

import msgspec
from websockets.exceptions import InvalidURI, WebSocketException

from isshoni.client.errors import TokenUnavailable
from isshoni.client.renewal import Renewal
from isshoni.client.settings import ClientSettings
from isshoni.client.token import TokenSource
from isshoni.client.wire import ABNORMAL, OpenWire, Wire
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import (
    Authenticate,
    ErrorMessage,
    GrantedPermit,
    Position,
    RestoreSession,
    ServerIdentity,
    SessionRestored,
)

_encode = msgspec.json.Encoder().encode


class ConnectionOwner(Protocol):
    """What a connection needs from its lifeline; not called after `on_end`."""

    def make_restore(self, connection: "Connection") -> RestoreSession:
        """Return the restore request to send."""

    def is_owed_answer(self) -> bool:
        """True if the server has not acknowledged everything that was sent."""

    def on_frame(self, connection: "Connection", frame: str | bytes) -> None:
        """Handle a frame: text as `str`, binary as `bytes`."""

    def on_end(self, connection: "Connection", close_code: int, since: float) -> None:
        """Handle the end of the connection, which was of no use since `since`."""


class Connection:
    """One socket; knows nothing of chat or canvas. Used once, never reopened.

    Sending never waits: frames queue here, and go out in order. A peer that takes
    nothing is found dead by the heartbeat.
    """

    def __init__(
        self,
        address: str,
        path: str,
        generation: int,
        owner: ConnectionOwner,
        settings: ClientSettings,
        tokens: TokenSource,
        open_wire: OpenWire,
    ) -> None:
        self.generation = generation
        self.asked: Position | None = None
        """The position of the last restore that was asked for here."""
        self.epoch: str | None = None
        """The log that it was restored in."""
        self.server: ServerIdentity | None = None
        self.region: str | None = None
        self.address = address
        self._url = address + path
        self._owner = owner
        self._settings = settings
        self._tokens = tokens
        self._renewal = Renewal(tokens, self._authenticate)
        self._open_wire = open_wire
        self._wire: Wire | None = None
        self._closing = False
        self._ended = False
        self._heard_at = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._return_timer: asyncio.TimerHandle | None = None
        self._beat_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    @property
    def is_restoring(self) -> bool:
        """True while a restore is asked for and not answered."""
        return self._deadline is not None or self._return_timer is not None

    def is_delayed_by(self, error: ErrorMessage) -> bool:
        """True if an error means that the restore must be asked for again."""
        return error.code == "not_ready" and self.is_restoring

    def ask_restore(self) -> None:
        """Send a restore request; no answer in time ends the connection."""
        if self._ended:
            return
        request = self._owner.make_restore(self)
        self.asked = request.position
        if self._deadline is None:
            timeout = self._settings.restore_timeout_seconds
            self._deadline = self._loop.call_later(timeout, self.abandon)
        self.send_text(_encode(request))

    def ask_restore_later(self, seconds: float) -> None:
        """Ask again when the server said: the time until then is no silence of the server."""
        if self._ended or self._return_timer is not None:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._return_timer = self._loop.call_later(seconds, self._return)

    def _return(self) -> None:
        self._return_timer = None
        self.ask_restore()

    def restored(self, answer: SessionRestored) -> None:
        """Handle the answer to a restore, and ping the server from now on."""
        self.epoch, self.server = answer.position.epoch, answer.server
        self.region = answer.region or None
        if answer.permit is not None:
            self.permitted(answer.permit)
        for timer in (self._deadline, self._return_timer):
            if timer is not None:
                timer.cancel()
        self._deadline = self._return_timer = None
        if self._beat_timer is None:
            self._beat_timer = self._loop.call_later(self._heartbeat_seconds, self._beat)

    def permitted(self, permit: GrantedPermit) -> None:
        """Handle a permit: send a fresh token before it expires."""
        self._renewal.schedule(permit.expires_in_ms)

    def _authenticate(self, token: str) -> None:
        self.send_text(_encode(Authenticate(token)))

    def send_text(self, frame: bytes) -> None:
        """Queue a text frame (UTF-8)."""
        self._queue(frame, is_text=True)

    def send_binary(self, frame: bytes) -> None:
        """Queue a binary frame."""
        self._queue(frame, is_text=False)

    def expect_answer(self) -> None:
        """Ping the server after `answer_seconds` of silence while an answer is owed."""
        if self._answer_timer is None and not self._ended:
            delay = self._settings.answer_seconds
            self._answer_timer = self._loop.call_later(delay, self._check_answer)

    def close(self) -> None:
        """Close with 1000 after what is queued; frames are handled until the answer."""
        self._closing = True
        if self._wire is None:
            self.abandon()
        else:
            self._wire.close()

    def abandon(self, since: float | None = None) -> None:
        """End at once, without a close frame."""
        self._end(ABNORMAL, time.monotonic() if since is None else since)
        if self._wire is not None:
            self._wire.abort()
        else:
            self._task.cancel()

    def refuse(self, code: CloseCode) -> None:
        """End at once, as if the server had closed with `code`."""
        self._end(code, time.monotonic())
        if self._wire is not None:
            self._wire.abort()

    async def wait_ended(self) -> None:
        """Wait until nothing of it runs any more."""
        await asyncio.wait([self._task])
        if self._wire is not None:
            await self._wire.wait_sent()

    async def _run(self) -> None:
        close_code = ABNORMAL
        try:
            token = await self._tokens.fetch()
            self._wire = await self._open_wire(self._url, token, self._settings)
            self._heard_at = time.monotonic()
            self.ask_restore()
            close_code = await self._wire.receive(self._on_frame)
        except (OSError, TimeoutError, InvalidURI, WebSocketException, TokenUnavailable):
            pass  # Whatever it was, the answer is the same: come back later.
        finally:
            self._end(close_code, time.monotonic())

    def _on_frame(self, frame: str | bytes) -> None:
        self._heard_at = time.monotonic()
        if not self._ended:
            self._owner.on_frame(self, frame)

    def _end(self, close_code: int, since: float) -> None:
        if self._ended:
            return
        self._ended = True
        self._renewal.stop()
        timers = (self._deadline, self._return_timer, self._beat_timer, self._answer_timer)
        for timer in timers:
            if timer is not None:
                timer.cancel()
        self._owner.on_end(self, close_code, since)

    def _queue(self, frame: bytes, *, is_text: bool) -> None:
        if self._wire is not None and not (self._ended or self._closing):
            self._wire.send(frame, is_text=is_text)

    @property
    def _heartbeat_seconds(self) -> float:
        assert self.server is not None
        return self._settings.heartbeat_seconds or self.server.heartbeat_seconds

    def _beat(self) -> None:
        interval = self._heartbeat_seconds
        silent_seconds = time.monotonic() - self._heard_at
        if silent_seconds >= 2 * interval:
            self.abandon(since=self._heard_at)
            return
        self.send_text(b'{"type":"ping"}')
        delay = min(interval, 2 * interval - silent_seconds)
        self._beat_timer = self._loop.call_later(delay, self._beat)

    def _check_answer(self) -> None:
        """Ping if nothing arrived for `answer_seconds` although an answer is owed."""
        self._answer_timer = None
        if not self._owner.is_owed_answer():
            return
        now = time.monotonic()
        left_seconds = self._heard_at + self._settings.answer_seconds - now
        if left_seconds > 0:
            self._answer_timer = self._loop.call_later(left_seconds, self._check_answer)
            return
        self.send_text(b'{"type":"ping"}')
        delay = self._settings.probe_seconds
        self._answer_timer = self._loop.call_later(delay, self._check_probe, now)

    def _check_probe(self, pinged_at: float) -> None:
        self._answer_timer = None
        if self._heard_at < pinged_at:
            self.abandon(since=self._heard_at)
        else:
            self._check_answer()

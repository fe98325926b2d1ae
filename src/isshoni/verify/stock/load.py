"""Stock clients as the load of a run: their processes, the trial message, and the findings."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial

from isshoni.verify.clock import RunClock
from isshoni.verify.collected import Collected
from isshoni.verify.load import Counts
from isshoni.verify.reach import FIRST_SECONDS, CannotConnect
from isshoni.verify.settings import InvalidRun, RunSettings
from isshoni.verify.stock.collect import collect_stock
from isshoni.verify.stock.events import Events
from isshoni.verify.stock.ids import make_trial_id
from isshoni.verify.stock.orders import ClientPlan, Order, Plan
from isshoni.verify.stock.processes import ClientProcess
from isshoni.verify.stock.recorder import Recorder
from isshoni.verify.stock.settings import CLIENTS_PER_PROCESS, ID, StockSettings
from isshoni.verify.stock.trial import NothingCameBack, Trial, Unclear, judge_trial

POLL_SECONDS = 0.05
START_SECONDS = 60.0
"""For the client processes to load their libraries: on a busy machine that takes a while."""
TRIALS = 3
LATE_SECONDS = 0.5
"""After everything has arrived, for what comes a second time."""
QUIET_SECONDS = 3.0
"""What has not arrived when nothing came for so long will not come."""


class StockLoad:
    """The stock clients of a run, in processes of their own."""

    def __init__(
        self,
        stock: StockSettings,
        settings: RunSettings,
        clock: RunClock,
        command: Sequence[str],
        *,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._stock = stock
        self._settings = settings
        self._clock = clock
        self._command = command
        self._say = say
        self._run = secrets.token_hex(3)
        rooms = {n: self._room_of(n) for n in range(settings.clients)}
        self._recorder = Recorder(self._run, rooms)
        self._events = Events(self._recorder, clock)
        self._processes: list[ClientProcess] = []
        self._process_of: dict[int, ClientProcess] = {}
        self._cpu_seconds = 0.0

    async def connect(self) -> None:
        """Connect all clients, and find out with a trial message what can be judged."""
        size = -(-self._settings.clients // count_processes(self._settings.clients))
        numbers = range(self._settings.clients)
        for first in range(0, self._settings.clients, size):
            await self._start_process(list(numbers[first : first + size]))
        await self._wait_until_connected()
        trial = await self._try_out()
        self._recorder.begin(trial)
        self._say(trial.describe())

    async def start_talking(self) -> None:
        """Let all clients send."""
        self._cpu_seconds -= self._measure_cpu()
        await self._order(Order("talk"))

    async def stop_talking(self) -> None:
        """Stop all clients from sending."""
        await self._order(Order("stop"))
        self._cpu_seconds += self._measure_cpu()

    async def settle(self) -> None:
        """Wait until all have everything, or nothing more comes though all are connected."""
        recorder = self._recorder
        began = self._clock.now()

        def is_settled() -> bool:
            quiet_since = max(began, recorder.last_delivery)
            quiet = self._clock.now() - quiet_since
            is_whole = recorder.connected() == self._settings.clients
            everything = recorder.everything_delivered() and quiet > LATE_SECONDS
            return is_whole and (everything or quiet > QUIET_SECONDS)

        await self._wait(is_settled, self._settings.settle_seconds)

    async def read_final_state(self) -> None:
        """Record the documents at the end, as clients and newcomers have them."""
        self._recorder.end()  # a newcomer's leaving is no fault
        await self._order(Order("read"))
        await self._wait(
            lambda: self._events.documents_read == len(self._processes),
            self._settings.join_seconds,
        )

    async def collect(self, deploys_began_at: Sequence[float], ended_at: float) -> Collected:
        """Judge what was recorded."""
        return collect_stock(
            self._recorder,
            self._stock,
            deploys_began_at=deploys_began_at,
            ended_at=ended_at,
            cut_seconds=self._settings.limits.cut_seconds,
            cpu_seconds=self._cpu_seconds,
        )

    async def leave(self) -> None:
        """End every process; their clients close their connections."""
        self._recorder.end()
        await asyncio.gather(*(process.aclose() for process in self._processes))

    def count(self) -> Counts:
        """Return the progress."""
        ledger = self._recorder.ledger
        return Counts(
            self._recorder.connected(), len(ledger.messages), ledger.acked, len(ledger.latency)
        )

    def _room_of(self, number: int) -> str:
        # Letters and digits only: many applications allow nothing else in a name.
        return f"verify{self._run}r{number % self._settings.sessions}"

    async def _start_process(self, numbers: list[int]) -> None:
        process = ClientProcess(self._command, self._events.apply_line)
        self._processes.append(process)
        self._process_of |= dict.fromkeys(numbers, process)
        rooms = [self._room_of(n) for n in numbers if n < self._settings.sessions]
        plan = Plan(
            kind=self._stock.kind,
            run=self._run,
            clients=tuple(self._plan_client(number) for number in numbers),
            every_seconds=1 / self._settings.habits.messages_per_second,
            connects_per_second=self._settings.connects_per_second,
            path=self._stock.path,
            probe_rooms=tuple(rooms) if self._stock.kind.is_document else (),
        )
        await process.start(plan)

    def _plan_client(self, number: int) -> ClientPlan:
        room = self._room_of(number)
        own = self._stock.fill(room, number)
        return ClientPlan(number, room, own.url, own.message, own.joins, own.auth)

    async def _wait_until_connected(self) -> None:
        recorder, clients = self._recorder, self._settings.clients
        arriving = clients / self._settings.connects_per_second

        def all_run() -> bool:
            started = self._events.processes_started == len(self._processes)
            return started or bool(recorder.trouble)

        if not await self._wait(all_run, START_SECONDS):
            seen = f"its clients' processes did not start within {START_SECONDS:g} s"
            raise CannotConnect(self._stock.url, seen)
        if not await self._wait(lambda: recorder.connected() > 0, FIRST_SECONDS):
            raise CannotConnect(self._stock.url, self._describe_failures())
        seconds = arriving + self._settings.join_seconds
        if not await self._wait(lambda: recorder.connected() == clients, seconds):
            missing = clients - recorder.connected()
            raise CannotConnect(
                self._stock.url,
                f"{missing} of {clients} were not connected {seconds:.0f} s after the first: "
                + self._describe_failures(),
            )

    def _describe_failures(self) -> str:
        failures = [p for user in self._recorder.users.values() for p in user.attempts]
        if self._recorder.trouble:
            return self._recorder.trouble[0].removesuffix(".")
        if not failures:
            return f"no answer within {FIRST_SECONDS:g} s"
        last = failures[-1]
        return f"{last.outcome}" + (f" ({last.detail})" if last.detail else "")

    async def _try_out(self) -> Trial:
        """Send a trial message up to three times; raises `NothingCameBack` or `Unclear`."""
        sent = ""
        unclear: Unclear | None = None
        for attempt in range(TRIALS):
            sent = make_trial_id(self._run, 0, attempt)
            self._process_of[0].order(Order("trial", client=0, id=sent))
            await self._wait(partial(self._has_reached_all, sent), self._trial_seconds)
            await asyncio.sleep(self._stock.after_seconds)
            try:
                trial = self._judge_trial(sent)
            except Unclear as fault:
                unclear = fault  # Perhaps a client had joined twice for a moment.
                continue
            if trial is not None:
                return trial
        if unclear is not None:
            raise unclear
        if sent in self._recorder.trial_frames:
            raise self._describe_partial_reach(sent)
        message = self._plan_client(0).message.replace(ID, sent)
        raise NothingCameBack(self._stock, message, self._recorder.samples)

    def _has_reached_all(self, sent: str) -> bool:
        """True if each client of the room, apart from the sender, has a trial message."""
        reached = {number for number, _, _ in self._recorder.trial_frames.get(sent, ())}
        members = range(0, self._settings.clients, self._settings.sessions)
        return bool(reached) and all(number in reached for number in members if number != 0)

    @property
    def _trial_seconds(self) -> float:
        return self._stock.trial_seconds / TRIALS

    def _judge_trial(self, sent: str) -> Trial | None:
        frames = self._recorder.trial_frames.get(sent, [])
        sender, room = 0, self._room_of(0)
        users = self._recorder.users
        strangers = {number for number, _, _ in frames if users[number].room != room}
        if strangers:
            raise InvalidRun(
                f"a message of room {room} came to {len(strangers)} client(s) of other rooms: this "
                "application does not keep apart what {room} stands for in --url, --join or "
                "--message-template; use --sessions 1, or name the room as it wants it"
            )
        by_user: dict[int, list[tuple[str, str]]] = {}
        for number, frame, shape in frames:
            by_user.setdefault(number, []).append((frame, shape))
        others = [n for n, user in users.items() if user.room == room and n != sender]
        return judge_trial(
            by_user.get(sender, []),
            {number: by_user.get(number, []) for number in others},
            acknowledged=sent in self._recorder.trial_acks,
        )

    def _describe_partial_reach(self, sent: str) -> InvalidRun:
        reached = {number for number, _, _ in self._recorder.trial_frames[sent]}
        room = self._room_of(0)
        members = [n for n, user in self._recorder.users.items() if user.room == room]
        return Unclear(
            f"a trial message reached {len(reached)} of the {len(members)} clients of room {room}, "
            "before anything was deployed: who must get a message is not clear, so a loss could "
            "not be seen. Does the application run in several processes that do not share their "
            "rooms? Check --join too"
        )

    async def _order(self, order: Order) -> None:
        for process in self._processes:
            await process.check()
            process.order(order)

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            for process in self._processes:
                await process.check()
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    def _measure_cpu(self) -> float:
        return time.process_time() + sum(p.cpu_seconds() for p in self._processes)


def count_processes(clients: int) -> int:
    """Return how many processes so many clients are divided among."""
    return -(-clients // CLIENTS_PER_PROCESS)

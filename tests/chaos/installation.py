"""A whole installation for one test: Redis, the fault proxy, a balancer, blue, an engine."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import redis.asyncio

from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.probing import answers_ok
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.redis_server import check_redis, redis_program
from isshoni.environments.local.supervision import ensure_supervisor, supervisor_pid
from isshoni.environments.waiting import wait_until
from isshoni.errors import IsshoniError
from isshoni.rollout.model import COLOURS, Colour, Release, Stable
from tests.chaos.fault_proxy import fault_proxy_program
from tests.support.local_environments import FREE_PORTS, state_directory
from tests.support.valkey import ValkeyServer, find_free_port

REDIS, PROXY, BALANCER, SUPERVISOR = "redis", "fault-proxy", "balancer", "supervisor"
CLOCK_SHIM = Path(__file__).with_name("clock_shim")
CLOCK_FILE_VARIABLE = "ISSHONI_TEST_CLOCK_FILE"
_WAIT = "ISSHONI_REDIS_WAIT_REPLICAS"
FIRST = Stable("blue", Release("v1"))


@dataclass(frozen=True)
class Needs:
    """What an installation must have for some faults; one of the same needs serves all."""

    replica: bool = False
    """Redis has a replica, and every write waits for it."""
    hang_seconds: float | None = None
    """A program without an answer for so long is ended and started again."""
    clock_steps: bool = False
    """The time of day of every Python process can be set (`set_clock`)."""
    other_slot: bool = False
    """The slot that a deploy would use is used, and stays in use."""


NO_NEEDS = Needs()


class Engine:
    """One `isshoni deploy` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def kill(self) -> None:
        """kill -9."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def outcome(self) -> str:
        """Wait for its end; return the report's outcome, or why there is no report."""
        written, complaints = await self._process.communicate()
        try:
            return str(msgspec.json.decode(written)["outcome"])
        except msgspec.DecodeError:
            return f"exit code {self._process.returncode}: {complaints.decode()[-500:]}"


_BAKE = "bake_seconds = 0.5\n"


class Installation:
    """Everything of one installation, and the ways to break it.

    What is broken is named as the supervisor names it: `redis`, `fault-proxy`,
    `balancer`, `blue`, `green`; and `supervisor` itself.
    """

    def __init__(
        self,
        state_dir: Path,
        needs: Needs = NO_NEEDS,
        *,
        beside: "Installation | None" = None,
    ) -> None:
        """Describe an installation; `beside`: it uses that one's Redis, in database 1."""
        self.replica = ValkeyServer(state_dir / "replica") if needs.replica else None
        """What every write waits for, if there is one."""
        self.needs = needs
        base = LocalConfig(state_dir=state_dir, ports=FREE_PORTS, stop_seconds=3.0)
        if needs.hang_seconds is not None:
            base = base.model_copy(update={"hang_seconds": needs.hang_seconds})
        self._files = ProgramFiles(state_dir)
        self._files.make_directories()
        self._password = load_credentials(state_dir).redis_password
        self._proxy_port = find_free_port()
        self._beside = beside
        if beside is None:
            redis_url = self._redis_url(self._proxy_port)
        else:
            redis_url = f"{beside.config.redis_url}".removesuffix("/0") + "/1"
        self.config: LocalConfig = base.model_copy(update={"redis_url": redis_url})
        self.environment = LocalEnvironment(self.config)
        self._redis_port = self.environment.ports.redis

    @property
    def state_dir(self) -> Path:
        """Where its files are."""
        return self.config.state_dir

    @property
    def url(self) -> str:
        """Where clients connect, as `ws://HOST:PORT`."""
        return self.environment.addresses().public.replace("http", "ws", 1)

    async def up(self) -> None:
        """Bring everything up, with v1 on blue."""
        self._write_config_file()
        with self._environment():
            await ensure_supervisor(self.state_dir)
        if self._beside is None:
            self._want_redis()
        assert await wait_until(self.redis_answers, 20.0), "Redis never answered"
        await self._start_replica()
        await self.environment.up(FIRST)
        journal = SqliteJournal(self.state_dir / "journal.sqlite")
        journal.record_stable(FIRST, at=time.time())
        journal.close()

    def _want_redis(self) -> None:
        log = self._files.log_path
        self._files.want(
            REDIS, redis_program(self.config, self._redis_port, self._password, log(REDIS))
        )
        proxy = fault_proxy_program(
            self.config, listen_port=self._proxy_port, to_port=self._redis_port, log=log(PROXY)
        )
        self._files.want(PROXY, proxy)

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        """Start programs in this block with the variables that the needs ask for."""
        before = {name: os.environ.get(name) for name in self._variables}
        os.environ.update(self._variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    @property
    def _variables(self) -> dict[str, str]:
        variables = {_WAIT: "1"} if self.needs.replica else {}
        if self.needs.clock_steps:
            paths = [str(CLOCK_SHIM), *filter(None, [os.environ.get("PYTHONPATH")])]
            variables["PYTHONPATH"] = os.pathsep.join(paths)
            variables[CLOCK_FILE_VARIABLE] = str(self._clock_file)
        return variables

    async def _start_replica(self) -> None:
        if self.replica is None:
            return
        await asyncio.to_thread(self.replica.start)
        self.replica.command("CONFIG", "SET", "masterauth", self._password)
        self.replica.command("REPLICAOF", "127.0.0.1", str(self._redis_port))

        async def follows() -> bool:
            async with self.redis_client() as client:
                return bool((await client.info("replication"))["connected_slaves"])

        assert await wait_until(follows, 30.0), "the replica never followed"

    def stop_replica(self) -> None:
        """End the replica, if there is one."""
        if self.replica is not None:
            self.replica.stop()

    async def is_whole(self) -> bool:
        """True if every part of it works as it did before a fault."""
        if supervisor_pid(self.state_dir) is None or not await self.redis_answers():
            return False
        # Both: the balancer needs a moment to see that a backend is gone, or back.
        return await self.stable_answers() and await self.environment.is_up()

    async def stable_answers(self) -> bool:
        """True if the stable backend is ready, whatever the balancer finds."""
        stable = self.stable()
        slot = self.environment.addresses().slots[stable.colour]
        return await answers_ok(slot + stable.release.ready_path)

    async def wait_until_whole(self) -> None:
        """Wait until the supervisor has repaired what was broken."""
        assert await wait_until(self.is_whole, 30.0), f"never whole again:\n{self.logs()}"

    async def wait_for_spare(self) -> None:
        """Wait a while for a warm spare; what an earlier supervisor started gets none."""
        colour = self.stable().colour

        def has_come() -> bool:
            # The process that serves logs so first, and then that its spare is ready.
            serving = re.split("event=(?:started|took_over)", self.log(colour))[-1]
            return "event=spare_ready" in serving

        await wait_until(has_come, 20.0)

    async def redis_answers(self) -> bool:
        """True if Redis answers through the proxy."""
        assert self.config.redis_url is not None
        try:
            await check_redis(self.config.redis_url)
        except IsshoniError:
            return False
        return True

    # Breaking

    def pid(self, name: str) -> int | None:
        """Return the pid of a part; None while it does not run."""
        if name == SUPERVISOR:
            return supervisor_pid(self.state_dir)
        seen = self._files.observed(name)
        return seen.pid if seen else None

    def kill(self, name: str) -> None:
        """kill -9, if it runs."""
        self.send(name, signal.SIGKILL)

    def send(self, name: str, number: signal.Signals, pid: int | None = None) -> int | None:
        """Send a signal to a part, or to what was that part when it had `pid`."""
        target = pid or self.pid(name)
        if target is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(target, number)
        return target

    async def repair(self) -> None:
        """Do what `isshoni up` does for a supervisor that died."""
        with self._environment():
            await ensure_supervisor(self.state_dir)

    def set_clock(self, offset_seconds: float) -> None:
        """Set the time of day of every Python process to the true one plus an offset."""
        assert self.needs.clock_steps
        self._clock_file.write_text(str(offset_seconds))

    @contextlib.asynccontextmanager
    async def redis_client(self) -> AsyncIterator["redis.asyncio.Redis"]:
        """Talk to Redis itself, past the proxy."""
        async with redis.asyncio.from_url(
            self._redis_url(self._redis_port), socket_timeout=5
        ) as client:
            yield client

    # Deploying

    async def start_deploy(self, label: str) -> Engine:
        """Start an engine that deploys `label`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "isshoni.cli", "deploy", label, "--json"),
            env={**os.environ, **self._variables, "ISSHONI_CONFIG": str(self._config_file)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return Engine(process)

    def stable(self) -> Stable:
        """Read the stable release from the journal."""
        journal = SqliteJournal(self.state_dir / "journal.sqlite")
        stable = journal.read_stable()
        journal.close()
        assert stable is not None
        return stable

    def candidate(self) -> Colour:
        """Return the colour that is not stable."""
        return next(colour for colour in COLOURS if colour != self.stable().colour)

    # Reading

    def log(self, name: str) -> str:
        """Read what a part has written."""
        path = self._files.log_path(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self) -> str:
        """Return the end of every part's log."""
        names = (SUPERVISOR, REDIS, PROXY, BALANCER, *COLOURS)
        return "\n".join(f"--- {name}\n{self.log(name)[-1500:]}" for name in names)

    def _redis_url(self, port: int) -> str:
        return f"redis://:{self._password}@127.0.0.1:{port}/0"

    @property
    def _clock_file(self) -> Path:
        return self.state_dir / "clock_offset"

    @property
    def _config_file(self) -> Path:
        return self.state_dir / "isshoni.toml"

    def bake_for(self, seconds: float) -> None:
        """Let the next deploys bake for so long."""
        text = self._config_file.read_text()
        self._config_file.write_text(text.replace(_BAKE, f"bake_seconds = {seconds}\n"))

    def _write_config_file(self) -> None:
        ports = "\n".join(f"{name} = {port}" for name, port in self.environment.ports)
        self._config_file.write_text(
            "[rollout]\n"
            "weights = [50, 100]\n"
            f"{_BAKE}"
            "start_timeout_seconds = 20.0\n"
            "drain_timeout_seconds = 20.0\n"
            "[environments.local]\n"
            f'state_dir = "{self.state_dir}"\n'
            f'redis_url = "{self.config.redis_url}"\n'
            f"stop_seconds = {self.config.stop_seconds}\n"
            f"hang_seconds = {self.config.hang_seconds}\n"
            f"[environments.local.ports]\n{ports}\n"
        )


@contextlib.asynccontextmanager
async def installed(
    needs: Needs = NO_NEEDS, *, beside: Installation | None = None
) -> AsyncIterator[Installation]:
    """Bring an installation up; nothing of it runs or stays afterwards."""
    with state_directory() as state_dir:
        installation = Installation(state_dir, needs, beside=beside)
        try:
            await installation.up()
            yield installation
        finally:
            installation.stop_replica()

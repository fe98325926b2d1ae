"""The port `Compute` on one machine: the programs of the two slots, run by a supervisor."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.envoy_doors import RelayDoor
from isshoni.environments.local.envoy_processes import ProcessEndpoint
from isshoni.environments.local.logs import tail
from isshoni.environments.local.port_allocation import PortBook
from isshoni.environments.local.process_names import (
    AnyProgram,
    SideProgram,
    SlotProcess,
    find_colour,
    list_processes,
)
from isshoni.environments.local.programs import Observed, Program, ProgramFiles
from isshoni.environments.local.relay import LocalRelay
from isshoni.environments.local.releases import ReleaseStore
from isshoni.environments.local.slot_programs import (
    SlotPrograms,
    SlotSettings,
    list_side_programs,
    release_of,
)
from isshoni.environments.local.supervision import ensure_supervisor
from isshoni.environments.local.variables import VariableStore
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, Release, SlotState, Stable, other

_BEYOND_STOP_SECONDS = 10.0
"""What the kernel and the supervisor may take after SIGKILL on a busy machine."""


class LocalCompute:
    """Starts and stops the programs of both slots through the supervisor."""

    def __init__(
        self,
        settings: SlotSettings,
        ports: PortBook,
        files: ProgramFiles,
        balancer: BalancerFiles,
        releases: ReleaseStore,
        relay: LocalRelay,
        list_stables: Callable[[], Iterable[Stable]],
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._files = files
        self._programs = SlotPrograms(settings, ports, files, releases)
        self._balancer = balancer
        self._releases = releases
        self._relay = relay
        self._list_stables = list_stables

    async def resolve(self, release: Release) -> Release:
        """Return `release` with the current content id of its source.

        Raises `ReleaseFault` for everything that can be known to fail before it is installed.
        """
        resolved = await self._releases.resolve(release)
        self._programs.check(resolved)
        return resolved

    @property
    def variables(self) -> VariableStore:
        """Return where the variables of releases are kept."""
        return self._programs.variables

    async def prepare(self, release: Release) -> None:
        """Install `release`, if needed; releases for a rollback stay installed."""
        self._programs.check(release)
        stables = await asyncio.to_thread(self._list_stables)
        before = [stable.release for stable in stables]
        await self._releases.install(release, self._directories_in_use(), before)
        self._programs.check(release)
        used = {release, *before, *filter(None, map(self.release_on, COLOURS))}
        self.variables.remove_unused({each.variables_id or "" for each in used})

    async def start(self, colour: Colour, release: Release) -> None:
        """Make the supervisor start the processes of `release` on a slot.

        If the slot runs it already, its programs and their number are kept: the label may name
        other content by now.
        """
        kept = self.release_on(colour) == release
        processes = (
            self.list_processes(colour)
            if kept
            else list_processes(colour, self._settings.config.process_count)
        )
        await self._relay.retire(self._balancer.read_doors().values())
        self._prepare_relay(colour, release, processes, kept=kept)
        # First the health check: it must not use the path of another release.
        self._write_balancer(colour, release, processes, kept=kept)
        for process in processes:
            if kept and self._read_wanted(process) is not None:
                self._refresh_watch(process, release)
            else:
                made = self._programs.make(process, release, len(processes))
                self._files.want(process.program, made)
        sides = self._want_side_programs(colour, release, kept=kept)
        for name in self._list_programs(colour) - {each.program for each in processes} - sides:
            self._files.unwant(name)
        await ensure_supervisor(self._settings.config.state_dir)

    def _prepare_relay(
        self, colour: Colour, release: Release, processes: Sequence[SlotProcess], *, kept: bool
    ) -> None:
        """Store what is behind the door of a slot, of every slot before the relay first runs.

        A slot without a relay has a door too: relayed clients may move to it.
        """
        if release.relay is not None and not self._relay.is_wanted:
            on_other = self.release_on(other(colour))
            if on_other is not None:
                self._write_door(other(colour), on_other, kept=True)
        if release.relay is not None or self._relay.is_wanted:
            self._write_door(colour, release, processes, kept=kept)
        if release.relay is not None:
            self._relay.want()

    def _write_door(
        self,
        colour: Colour,
        release: Release,
        processes: Sequence[SlotProcess] | None = None,
        *,
        kept: bool,
    ) -> None:
        each = self.list_processes(colour) if processes is None else processes
        addresses = [("127.0.0.1", self._ports.of(process).public) for process in each]
        self._relay.write_door(colour, release, addresses, kept=kept)

    def _want_side_programs(self, colour: Colour, release: Release, *, kept: bool) -> set[str]:
        """Store that the release's side programs should run; return the names of their programs."""
        sides = list(list_side_programs(colour, release))
        for side in sides:
            if not kept or self._read_wanted(side) is None:
                made = self._programs.make_side_program(side, release)
                self._files.want(side.program, made)
        return {side.program for side in sides}

    def _write_balancer(
        self, colour: Colour, release: Release, processes: Sequence[SlotProcess], *, kept: bool
    ) -> None:
        before = {each.name for each in self._balancer.read_endpoints(colour) if each.draining}
        endpoints = [
            ProcessEndpoint(each.name, self._ports.of(each).public, kept and each.name in before)
            for each in processes
        ]
        several = endpoints if len(endpoints) > 1 else ()
        door: RelayDoor | None = None
        beside: Sequence[int] = ()
        if release.relay is not None and release.relay.new_sockets:
            door = self._relay.door_of(colour, release.relay.session_key)
            beside = self._relay.door_of(other(colour)).ports
        self._balancer.write_slot(colour, release.ready_path, several, door, beside)

    def _refresh_watch(self, process: SlotProcess, release: Release) -> None:
        program = self._read_wanted(process)
        if program is not None:  # keep its revision, so that nothing restarts
            seconds, pulse = (
                self._settings.config.hang_seconds,
                self._programs.pulse(process, release),
            )
            changed = msgspec.structs.replace(program, hang_seconds=seconds, pulse=pulse)
            self._files.want(process.program, changed)

    def list_changed_settings(self, process: SlotProcess) -> list[str]:
        """Return the names of the settings that changed since a process was started."""
        program = self._read_wanted(process)
        return self._programs.list_changed(process, program) if program else []

    def apply_settings(self, process: SlotProcess) -> None:
        """Restart a process with the current settings; with the first one the side programs."""
        sides = self.list_side_programs(process.colour) if process.number == 0 else []
        programs: list[AnyProgram] = [process, *sides]
        for each in programs:
            program = self._read_wanted(each)
            if program is not None:
                self._files.want(each.program, self._programs.renew(each, program))

    async def stop(self, colour: Colour) -> None:
        """Make the supervisor stop all programs of a slot, and wait until they have ended."""
        names = sorted(self._list_programs(colour) | {colour})
        for name in names:
            self._files.unwant(name)
        await asyncio.gather(*(self.wait_until_gone(name) for name in names))
        self._relay.clear_door(colour)

    def _list_programs(self, colour: Colour) -> set[str]:
        """Return the names of a slot's programs that should run, or may still run."""
        return {name for name in self._files.names() if find_colour(name) == colour}

    async def wait_until_gone(self, name: str) -> None:
        """Wait until the program `name` has ended; raises `EnvironmentFault` if it does not."""
        state_dir = self._settings.config.state_dir
        running = self._files.observed(name)
        bound = max(self._settings.config.stop_seconds, running.stop_seconds if running else 0)

        async def gone() -> bool:
            await ensure_supervisor(state_dir)
            return self._files.observed(name) is None

        if not await wait_until(gone, bound + _BEYOND_STOP_SECONDS):
            raise EnvironmentFault(f"{name} still runs {bound:g} seconds after SIGTERM and SIGKILL")

    async def observe_slots(self) -> Mapping[Colour, SlotState]:
        """Return the state of both slots, from the wanted and the observed programs."""
        return {colour: self._observe(colour) for colour in COLOURS}

    def _observe(self, colour: Colour) -> SlotState:
        program = self._read_wanted(SlotProcess(colour))
        if program is None:
            seen = [self._files.observed(name) for name in self._list_programs(colour)]
            return SlotState(running=any(each is not None and each.pid for each in seen))
        processes = self.list_processes(colour)
        served = [(each, self.observe_process(each)) for each in processes]
        sides = [(each, self.observe_process(each)) for each in self.list_side_programs(colour)]
        return SlotState(
            release=release_of(program),
            running=any(seen is not None and seen.pid is not None for _, seen in served),
            restarts=sum(seen.restarts for _, seen in (*served, *sides) if seen),
            last_exit=_describe_worst(served, sides),
            side_programs_down=tuple(
                _describe_down(each, seen) for each, seen in sides if not (seen and seen.pid)
            ),
        )

    def observe_process(self, process: AnyProgram) -> Observed | None:
        """Return what the supervisor observed of a program; None before it has started it."""
        program, seen = self._read_wanted(process), self._files.observed(process.program)
        same = program is not None and seen is not None and seen.revision == program.revision
        return seen if same else None

    def list_processes(self, colour: Colour) -> list[SlotProcess]:
        """Return the processes of what runs on a slot; none if it is empty."""
        program = self._read_wanted(SlotProcess(colour))
        return list_processes(colour, program.processes) if program else []

    def list_side_programs(self, colour: Colour) -> list[SideProgram]:
        """Return the side programs of what runs on a slot."""
        release = self.release_on(colour)
        return list(list_side_programs(colour, release)) if release else []

    def release_on(self, colour: Colour) -> Release | None:
        """Return the release that should run on a slot, if any."""
        program = self._read_wanted(SlotProcess(colour))
        return release_of(program) if program else None

    def list_unmovable(self) -> list[str]:
        """Return a line for each slot whose clients a deploy cannot move."""
        releases = {colour: self.release_on(colour) for colour in COLOURS}
        return [
            f"{colour}: {release.label} runs without a relay, so its WebSockets cannot be moved: a "
            "deploy waits for them until the drain ends, then they are cut"
            for colour, release in releases.items()
            if release is not None and not release.can_move_clients
        ]

    def _directories_in_use(self) -> list[Path]:
        programs = [self._read_wanted(SlotProcess(colour)) for colour in COLOURS]
        return [Path(program.cwd) for program in programs if program and program.cwd]

    def _read_wanted(self, process: AnyProgram) -> Program | None:
        try:
            return self._files.wanted(process.program)
        except OSError as fault:
            path = f"programs/{process.program}.json"
            raise EnvironmentFault(f"{path} cannot be read: {fault}") from None

    def log_path(self, colour: Colour) -> Path:
        """Return the path of the log of a slot's first process."""
        return self._files.log_path(colour)

    async def tail_log(self, colour: Colour, lines: int) -> list[str]:
        """Return the last lines of a slot's logs; of each process the same number."""
        processes = self.list_processes(colour) or [SlotProcess(colour)]
        sides = [each for each in self.list_side_programs(colour) if self._has_died(each)]
        programs: list[tuple[AnyProgram, str]] = [(each, each.name) for each in processes]
        programs += [(side, side.program) for side in sides]
        if len(programs) == 1:
            return self._tail(SlotProcess(colour), lines)
        each = -(-lines // len(programs))
        logs = [(name, self._tail(program, each)) for program, name in programs]
        return [f"{name}: {line}" for name, log in logs for line in log][-lines:] if lines else []

    def _has_died(self, side: SideProgram) -> bool:
        seen = self.observe_process(side)
        return seen is not None and seen.last_exit is not None

    def _tail(self, process: AnyProgram, lines: int) -> list[str]:
        """Return the last lines of a log, if possible without those of an earlier release."""
        seen = self.observe_process(process)
        return tail(
            self._files.log_path(process.program), lines, since=seen.log_start if seen else 0
        )


def _describe_worst(
    served: Sequence[tuple[SlotProcess, Observed | None]],
    sides: Sequence[tuple[SideProgram, Observed | None]],
) -> str | None:
    """Return the exit to show: of a program that is down, else of that with the most restarts."""
    named = [(each.name if len(served) > 1 else "", seen) for each, seen in served]
    named += [(each.program, seen) for each, seen in sides]
    exits = [(name, seen) for name, seen in named if seen is not None and seen.last_exit]
    if not exits:
        return None
    exits.sort(key=lambda pair: (pair[1].pid is not None, -pair[1].restarts))
    name, seen = exits[0]
    return f"{name}: {seen.last_exit}" if name else seen.last_exit


def _describe_down(side: SideProgram, seen: Observed | None) -> str:
    return f"{side.program} ({seen.last_exit if seen and seen.last_exit else 'not started yet'})"

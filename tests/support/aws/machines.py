"""Instances as processes: each on the loopback address that is its private one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.aws.account import ADMIN_PORT, BACKEND_PORT
from tests.support.aws.ecs import HUNG, Ecs, Task

STOP_SECONDS = 10.0
_RETRIES = 2
"""Health checks in a row that fail before a container is replaced; ECS is told four."""


@dataclass(frozen=True)
class Instance:
    """What the API says of one."""

    id: str
    address: str
    colour: str
    version: str
    cluster: str


@dataclass
class Machine:
    """The process of one instance, and how much of its log was sent off."""

    instance: Instance
    process: subprocess.Popen[bytes]
    log: Path
    task: Task
    sent_bytes: int = 0
    healthy: bool = False
    failed_checks: int = 0


@dataclass
class Machines:
    """Makes the processes that run equal to the instances that are there."""

    directory: Path
    variables: Mapping[str, str]
    """What the start of a machine adds to the environment of its program."""
    images: dict[str, list[str]] = field(default_factory=dict)
    """Programs by image version; every other is Isshoni's own backend."""
    running: dict[str, Machine] = field(default_factory=dict)
    ecs: Ecs = field(default_factory=Ecs)
    leaving: list[tuple[Machine, float]] = field(default_factory=list)

    def follow(self, instances: Mapping[str, Instance]) -> None:
        """Start what is new, and stop what is gone as ECS stops a task: SIGTERM first."""
        for id, instance in instances.items():
            if id not in self.running and id not in self.ecs.draining:
                self.running[id] = self._start(instance)
        for id in self.running.keys() - instances.keys():
            self._stop(id, "UserInitiated", "Task stopped by deleting its service")
        for id in self.running.keys() & self.ecs.draining:
            self._stop(id, "ServiceSchedulerInitiated", "Scaling activity initiated by ECS")
        self._see_off()

    def _stop(self, id: str, code: str, reason: str) -> None:
        machine = self.running.pop(id)
        machine.process.terminate()
        machine.task.stop(code, reason, None)
        self.leaving.append((machine, time.monotonic() + STOP_SECONDS))

    def schedule(self) -> None:
        """Start a container again that died, or that hangs: ECS's scheduler."""
        for id, machine in list(self.running.items()):
            code = machine.process.poll()
            if code is not None:
                machine.task.stop("EssentialContainerExited", "Essential container in task exited",
                                  code if code >= 0 else 128 - code)  # fmt: skip
            elif self._hangs(machine):
                machine.process.kill()
                machine.process.wait()
                machine.task.stop("ServiceSchedulerInitiated", HUNG, 128 + signal.SIGKILL)
            else:
                continue
            self.running[id] = self._start(machine.instance)

    def _hangs(self, machine: Machine) -> bool:
        """Check its liveness once; True if that failed too often since it was healthy."""
        well = False
        with contextlib.suppress(httpx.HTTPError):
            url = f"http://{machine.instance.address}:{BACKEND_PORT}/healthz"
            # A program without this path lives too, if it answers at all.
            well = httpx.get(url, timeout=1.0, trust_env=False).status_code < 500
        machine.healthy |= well
        machine.failed_checks = 0 if well else machine.failed_checks + machine.healthy
        return machine.failed_checks >= _RETRIES

    def _see_off(self) -> None:
        for machine, deadline in list(self.leaving):
            if machine.process.poll() is None and time.monotonic() > deadline:
                machine.process.kill()
            if machine.process.poll() is not None:
                self.leaving.remove((machine, deadline))

    def _start(self, instance: Instance) -> Machine:
        log = self.directory / f"{instance.id}.log"
        own = {
            "ISSHONI_VERSION": instance.version,
            "ISSHONI_COLOUR": instance.colour,
            "ISSHONI_HOST": instance.address,
            "ISSHONI_PORT": str(BACKEND_PORT),
            "ISSHONI_ADMIN_HOST": instance.address,
            "ISSHONI_ADMIN_PORT": str(ADMIN_PORT),
            "ISSHONI_TRUSTED_PROXIES": "1",
            "ISSHONI_DRAIN_SECONDS": "5",
            "PYTHONUNBUFFERED": "1",
        }
        program = self.images.get(instance.version, [sys.executable, "-m", "isshoni.backend"])
        with log.open("ab") as out:
            process = subprocess.Popen(
                program, stdout=out, stderr=out, env={**os.environ, **self.variables, **own}
            )
        sent = before.sent_bytes if (before := self.running.get(instance.id)) else 0
        return Machine(
            instance, process, log, self.ecs.start(instance.cluster, instance.id), sent_bytes=sent
        )

    def close(self) -> None:
        """Kill everything."""
        for machine in (*self.running.values(), *(machine for machine, _ in self.leaving)):
            machine.process.kill()
            machine.process.wait()

"""Instances as processes: each on the loopback address that is its private one."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.aws.account import ADMIN_PORT, BACKEND_PORT

STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Instance:
    """What the API says of one."""

    id: str
    address: str
    colour: str
    version: str


@dataclass
class Machine:
    """The process of one instance, and how much of its log was sent off."""

    instance: Instance
    process: subprocess.Popen[bytes]
    log: Path
    sent_bytes: int = 0


@dataclass
class Machines:
    """Makes the processes that run equal to the instances that are there."""

    directory: Path
    variables: Mapping[str, str]
    """What the start of a machine adds to the environment of its program."""
    images: dict[str, list[str]] = field(default_factory=dict)
    """Programs by image version; every other is Isshoni's own backend."""
    running: dict[str, Machine] = field(default_factory=dict)
    leaving: list[tuple[Machine, float]] = field(default_factory=list)

    def follow(self, instances: Mapping[str, Instance]) -> None:
        """Start what is new, and stop what is gone as a machine is stopped: SIGTERM first."""
        for id, instance in instances.items():
            if id not in self.running:
                self.running[id] = self._start(instance)
        for id in self.running.keys() - instances.keys():
            machine = self.running.pop(id)
            machine.process.terminate()
            self.leaving.append((machine, time.monotonic() + STOP_SECONDS))
        self._see_off()

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
        with log.open("wb") as out:
            process = subprocess.Popen(
                program, stdout=out, stderr=out, env={**os.environ, **self.variables, **own}
            )
        return Machine(instance, process, log)

    def close(self) -> None:
        """Kill everything."""
        for machine in (*self.running.values(), *(machine for machine, _ in self.leaving)):
            machine.process.kill()
            machine.process.wait()

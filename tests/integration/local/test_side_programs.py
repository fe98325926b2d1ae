"""Programs that run beside the one that serves a slot: a worker, with what it is given."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release, Stable
from tests.support.local_environments import pid_of, slot_release

WORKER = """
import json, os, sys, time
keys = ("TOKEN", "ISSHONI_COLOUR", "ISSHONI_PROCESS", "REDIS_URL", "ISSHONI_PORT")
shown = {name: os.environ.get(name) for name in keys}
shown |= {"argv": sys.argv[2:], "cwd": os.getcwd()}
open(sys.argv[1], "a").write(json.dumps(shown) + "\\n")
time.sleep(3600)
"""


def make_release(environment: LocalEnvironment, label: str, directory: Path) -> Release:
    """Make a release with a worker that writes a line about itself at each start."""
    (directory / "worker.py").write_text(WORKER)
    values = {"TOKEN": f"secret of {label}"}
    environment.variables.keep(values)
    worker = f"{sys.executable} worker.py {directory}/{label}.jsonl {{port}} {{colour}} {{version}}"
    release = replace(
        slot_release(label, environment.config.state_dir),
        directory=str(directory),
        side_programs=(("worker", worker),),
    )
    return environment.variables.describe(release, values)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_a_side_program_lives_and_ends_with_its_slot(
    environment: LocalEnvironment, tmp_path: Path
) -> None:
    release = make_release(environment, "v1", tmp_path)
    await environment.up(Stable("blue", release))

    assert await wait_until(lambda: bool(read(tmp_path / "v1.jsonl")), 20.0)
    (told,) = read(tmp_path / "v1.jsonl")
    port, *rest = told["argv"]
    assert rest == ["blue", "v1"]
    assert int(port) not in dict(environment.ports).values()
    assert told["cwd"] == str(tmp_path)
    assert told["TOKEN"] == "secret of v1"
    assert (told["ISSHONI_PROCESS"], told["ISSHONI_PORT"]) == ("blue-worker", None)
    assert "blue-worker" in environment.log_names

    os.kill(pid_of(environment, "blue-worker"), signal.SIGKILL)
    assert await wait_until(lambda: len(read(tmp_path / "v1.jsonl")) == 2, 20.0)
    again = (await environment.compute.observe_slots())["blue"]
    assert (again.restarts, again.running) == (1, True)
    assert again.last_exit == "blue-worker: signal 9 (SIGKILL)"

    before = pid_of(environment, "blue-worker")
    await environment.up(Stable("blue", release))  # it repairs, and restarts nothing that runs
    assert pid_of(environment, "blue-worker") == before

    await environment.compute.stop("blue")
    assert ProgramFiles(environment.state_dir).observed("blue-worker") is None


async def test_each_slot_has_its_own_and_another_release_takes_it_over(
    environment: LocalEnvironment, tmp_path: Path
) -> None:
    v1, v2 = (make_release(environment, label, tmp_path) for label in ("v1", "v2"))
    await environment.up(Stable("blue", v1))
    await environment.compute.start("green", v2)
    assert await wait_until(lambda: bool(read(tmp_path / "v2.jsonl")), 20.0)
    (blue,), (green,) = read(tmp_path / "v1.jsonl"), read(tmp_path / "v2.jsonl")
    assert (blue["TOKEN"], green["TOKEN"]) == ("secret of v1", "secret of v2")
    assert blue["argv"][0] != green["argv"][0]

    without = replace(v2, side_programs=())
    await environment.compute.start("green", without)
    files = ProgramFiles(environment.state_dir)
    assert await wait_until(lambda: files.observed("green-worker") is None, 20.0)


async def test_a_side_program_that_dies_again_and_again_is_a_reason(
    environment: LocalEnvironment,
) -> None:
    dying = f"{sys.executable} -c 'print(\"no queue\"); exit(3)'"
    release = replace(slot_release("v1"), side_programs=(("worker", dying),))
    await environment.up(Stable("blue", slot_release("v0")))
    await environment.compute.start("green", release)

    async def has_died() -> bool:
        return (await environment.compute.observe_slots())["green"].restarts >= 3

    assert await wait_until(has_died, 30.0)
    slot = (await environment.compute.observe_slots())["green"]
    assert slot.last_exit == "green-worker: exit code 3: no queue"
    assert slot.running
    lines = await environment.compute.tail_log("green", 20)
    assert "green-worker: no queue" in lines


async def test_a_log_is_shown_without_the_lines_of_an_earlier_release(
    environment: LocalEnvironment,
) -> None:
    def dying(words: str) -> Release:
        return Release(words, command=f"{sys.executable} -c 'print(\"{words}\"); exit(3)'")

    await environment.up(Stable("blue", slot_release("v0")))
    for words in ("first", "second"):
        await environment.compute.start("green", dying(words))

        async def has_died(words: str = words) -> bool:
            last = (await environment.compute.observe_slots())["green"].last_exit
            return last == f"exit code 3: {words}"

        assert await wait_until(has_died, 20.0)
        assert set(await environment.compute.tail_log("green", 50)) == {words}


async def test_a_program_that_cannot_be_executed_any_more_is_given_up_at_once(
    environment: LocalEnvironment, tmp_path: Path
) -> None:
    script = tmp_path / "serve"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    await environment.up(Stable("blue", slot_release("v0")))
    release = Release("v1", command=str(script))
    script.chmod(0o644)
    await environment.compute.start("green", release)

    async def was_tried_again() -> bool:
        return (await environment.compute.observe_slots())["green"].restarts >= 3

    assert await wait_until(was_tried_again, 20.0)
    slot = (await environment.compute.observe_slots())["green"]
    assert "cannot start" in str(slot.last_exit) and not slot.running


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (Release("v2", command="no-such-program {port}"), "no-such-program is not in any"),
        (Release("v2", command="sh {prot}"), "{prot} is not one of"),
        (
            Release("v2", command="sh", side_programs=(("worker", "sh {admin_port}"),)),
            "{admin_port} is not one of {host}, {colour}, {version}, {port}",
        ),
        (
            Release("v2", command="sh", side_programs=(("worker", "/nowhere/worker"),)),
            "there is no file /nowhere/worker",
        ),
        (Release("v2", command="sh", directory="/nowhere"), "runs in /nowhere, which no longer"),
        (Release("v2", command="sh", variables=("ISSHONI_PORT",)), "ISSHONI_PORT cannot be set"),
        (Release("v2", variables=("REDIS_URL",)), "REDIS_URL cannot be set"),
        (
            Release("v2", command="sh", variables=("TOKEN",), variables_id="gone"),
            "values of TOKEN, which v2 was deployed with, are no longer kept",
        ),
    ],
)
async def test_what_cannot_be_started_is_refused_before_anything_is_changed(
    environment: LocalEnvironment, release: Release, said: str
) -> None:
    with pytest.raises(ReleaseFault) as caught:
        await environment.compute.resolve(release)
    assert said in str(caught.value)


async def test_a_source_that_cannot_be_run_is_refused_before_it_is_copied(
    environment: LocalEnvironment, tmp_path: Path
) -> None:
    empty = Release("v2", source=str(tmp_path))
    with pytest.raises(ReleaseFault, match="no pyproject"):
        await environment.compute.resolve(empty)
    for cwd in ("inner", "../..", "/tmp"):
        inner = replace(empty, command="sh", cwd=cwd)
        with pytest.raises(ReleaseFault, match="has no directory"):
            await environment.compute.resolve(inner)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "it").write_text("")
    resolved = await environment.compute.resolve(replace(empty, command="sh", cwd="inner"))
    await environment.compute.prepare(resolved)
    assert not (environment.state_dir / "programs" / "green.json").exists()

"""Run `isshoni deploy` in a process of its own, for `verify`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from isshoni.cli.options import options
from isshoni.verify.ports import DeployReport, PhaseSpan, WeightChange


class CommandDeployRunner:
    """Runs the `isshoni deploy` command; its progress is printed on our stderr.

    In another process, so that the deploy does not slow down the clients that measure it.
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._arguments = arguments

    async def deploy(self, version: str) -> DeployReport:
        """Deploy `version`, and return its report, whether it succeeded or failed."""
        command = [sys.executable, "-m", "isshoni.cli", "deploy", version, "--json"]
        environ = dict(os.environ)
        if options.config_file:
            environ["ISSHONI_CONFIG"] = str(options.config_file)
        process = await asyncio.create_subprocess_exec(
            *command, *self._arguments, stdout=asyncio.subprocess.PIPE, env=environ
        )
        try:
            written, _ = await process.communicate()
        except asyncio.CancelledError:
            process.terminate()  # like Ctrl-C: the deploy rolls back, then ends
            await process.wait()
            raise
        return _read_report(written, process.returncode)


def _read_report(written: bytes, exit_code: int | None) -> DeployReport:
    try:
        report = msgspec.json.decode(written)
    except msgspec.DecodeError:
        return DeployReport("failed", reason=f"`isshoni deploy` ended with exit code {exit_code}")
    clocks = report["rollback_seconds"] or {}
    return DeployReport(
        outcome=report["outcome"],
        reason=report["reason"] or None,
        bake_seconds=report["bake_seconds"],
        rollback_seconds=clocks.get("last_session") or clocks.get("new_connections"),
        phases=tuple(PhaseSpan(p["name"], p["began"], p["ended"]) for p in report["phases"]),
        weights=tuple(_weights(seen) for seen in report["weights"]),
    )


def _weights(seen: dict[str, Any]) -> WeightChange:
    return WeightChange(seen["at"], seen["blue"], seen["green"])

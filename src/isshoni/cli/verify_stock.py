"""`isshoni verify --client …`: the clients of other libraries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import uvloop

from isshoni.cli.output import progress
from isshoni.cli.verify_output import Stages
from isshoni.plurals import count
from isshoni.verify.ports import DeployRunner
from isshoni.verify.result import Result
from isshoni.verify.settings import InvalidRun, PlannedDeploy, RunSettings
from isshoni.verify.stock.run import make_command, verify_stock
from isshoni.verify.stock.settings import Kind, StockSettings


def run_stock(
    stock: StockSettings,
    settings: RunSettings,
    deploys: Sequence[PlannedDeploy],
    runner: DeployRunner,
    *,
    offline: bool,
) -> Result:
    """Install what the clients need, run them, and return the result."""
    if settings.habits.messages_per_second <= 0:
        raise InvalidRun(
            "--messages-per-second 0 sends nothing, so nothing could be lost: choose more than 0"
        )
    settings = replace(
        settings,
        sessions=_count_rooms(stock, settings),
        full_clients=settings.clients,
        quiet_seconds=min(settings.quiet_seconds, settings.talk_seconds),
    )
    _say(
        f"{count(settings.clients, 'client')} in {count(settings.sessions, 'room')} on {stock.url}"
    )
    command = make_command(stock.kind, offline=offline, say=_say)
    return uvloop.run(
        verify_stock(
            stock,
            settings,
            command,
            deploys=deploys,
            runner=runner,
            on_progress=Stages().show,
            say=_say,
        )
    )


def refuse_stock_options(given: Mapping[str, object]) -> None:
    """Raise `InvalidRun` for an option that only stock clients have."""
    for name, value in given.items():
        if value:
            raise InvalidRun(
                f"{name} belongs to --client, for example --client plain: Isshoni's own clients "
                "have their own messages"
            )


def make_stock(
    kind: Kind,
    url: str | None,
    *,
    template: str | None,
    joins: Sequence[str],
    auth: str | None,
    path: str | None,
) -> StockSettings:
    """Return the settings of stock clients; raises `InvalidRun` for the first that is wrong."""
    if url is None:
        raise InvalidRun(
            f"--client {kind} needs --url: the address that the application's own clients use, "
            "with {room} in it if it names a room, for example ws://127.0.0.1:8000/ws/{room}"
        )
    return StockSettings(kind, url, template, tuple(joins), auth, path)


def _count_rooms(stock: StockSettings, settings: RunSettings) -> int:
    if stock.kind.is_document and settings.clients < 2:
        raise InvalidRun(
            f"--client {stock.kind} --clients 1: a change must reach another client; use 2 or more"
        )
    if not stock.names_rooms:
        _say("nothing names a {room}: all clients are in one")
        return 1
    # A client that is alone in its room shows only what comes back to itself.
    return max(1, min(settings.sessions, settings.clients // 2))


def _say(sentence: str) -> None:
    progress.print(f"· {sentence}")

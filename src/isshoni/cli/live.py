"""Show a running rollout in the terminal: a line per event, and a panel below them."""

import asyncio
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.live import Live
from rich.text import Text

from isshoni.cli.context import Context
from isshoni.cli.lasting_output import LastingOutput
from isshoni.cli.output import progress
from isshoni.cli.panel import State, draw_panel
from isshoni.engine.companions import Notes
from isshoni.engine.lease import find_user
from isshoni.engine.readings import Reading, take_reading
from isshoni.engine.reconciler import Controls, TurnReport
from isshoni.engine.snapshot import show_move, show_observation, show_rollout
from isshoni.rollout.look import Event
from isshoni.rollout.state import Rollout

_MARKS = {
    "step_done": ("✓", "green"),
    "promoted": ("✓", "bold green"),
    "rollback": ("↩", "bold red"),
    "rolled_back": ("↩", "bold red"),
    "traffic_home": ("✓", "green"),
    "sessions_home": ("✓", "green"),
    "refused": ("✗", "bold yellow"),
    "stuck": ("✗", "bold red"),
    "fault": ("!", "yellow"),
    "blind": ("?", "yellow"),
}
_NAMES = {
    "traffic_home": "traffic returned",
    "sessions_home": "sessions returned",
    "bring_home": "returning sessions",
}
"""Names to print of events whose stored names say less."""
_SILENT = ("act",)
"""Events that are not printed: the line at the end of their step says enough."""


class RolloutView:
    """Prints the events of a rollout and, on a terminal, its current state below them."""

    def __init__(self, output: LastingOutput, notes: Notes) -> None:
        self._output = output
        self._notes = notes
        self._live = Live(console=progress, transient=True, refresh_per_second=8)
        self._began: float | None = None
        self._readings: deque[Reading] = deque(maxlen=100)

    def __enter__(self) -> "RolloutView":
        if progress.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, turn: TurnReport) -> None:
        """Print the events of one turn of the engine, and redraw the panel."""
        self._follow_output(turn)
        if self._began is None:
            self._began = turn.rollout.began
        for event in turn.events:
            if event.what not in _SILENT:
                progress.print(_line(event, turn.rollout, turn.at - self._began))
        if self._live.is_started:
            self._readings.append(take_reading(turn, counters=False))
            self._live.update(draw_panel(_state(turn, self._readings)))

    def _follow_output(self, turn: TurnReport) -> None:
        """If output was redirected to the log: stop the panel, and note it in the journal."""
        if self._live.is_started and not progress.is_terminal:
            self._live.stop()
        if news := self._output.take_news():
            self._notes.add(turn.rollout, "output_moved", news)


def _state(turn: TurnReport, readings: Iterable[Reading]) -> State:
    return {
        "at": turn.at,
        "rollout": show_rollout(turn.rollout),
        "seen": turn.seen and show_observation(turn.seen),
        "fault": turn.fault,
        "move": show_move(list(readings)),
    }


def _line(event: Event, rollout: Rollout, elapsed: float) -> Text:
    mark, style = _MARKS.get(event.what, ("·", "cyan"))
    line = Text(f"{elapsed:7.1f} s  ", style="dim")
    line.append(f"{mark} ", style=style)
    if isinstance(number := event.data.get("step"), int):
        line.append(f"{rollout.steps[number - 1].title}: ", style="bold")
    else:
        name = _NAMES.get(event.what, event.what.replace("_", " "))
        line.append(f"{name}: ", style)
    line.append(event.why, style="default")
    return line


@contextmanager
def show_rollout_live(
    context: Context, output: LastingOutput, controls: Controls
) -> Iterator[RolloutView]:
    """Show a rollout while it runs, and handle Ctrl-C."""
    engine = context.engine
    notes = Notes(engine.environment, engine.clock)
    with RolloutView(output, notes) as view, obey_ctrl_c(controls):
        yield view


@contextmanager
def obey_ctrl_c(controls: Controls, what: str = "rollout") -> Iterator[None]:
    """Roll back at the first Ctrl-C (or SIGTERM), and exit at the second.

    A command that only shows the rollout of another engine exits at the first.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def obey() -> None:
        nonlocal asked
        if controls.following:
            controls.leave()
            progress.print(f"no longer showing the {what}; it continues elsewhere", style="yellow")
        elif asked:
            controls.leave()
            progress.print(f"stopping here; the {what} is left unfinished", style="yellow")
        else:
            asked = True
            controls.request_abort(find_user())
            words = "rolling back; press Ctrl-C again to stop here, unfinished"
            progress.print(words, style="yellow")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, obey)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

"""List the subcommands of `isshoni`, and load the module of one only when it is called.

Together they import almost everything, which takes long; `--help` and `status` need little.
"""

import gc
import inspect
import textwrap
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

VERBS = {
    "up": "Start the environment, or restart the parts of it that do not run.",
    "deploy": "Start VERSION beside the old one, test it, move all users to it, stop the old one.",
    "rollback": "Roll back the running rollout, or else return all users to the previous version.",
    "pause": "Pause the running rollout: start no further step, move no further sessions.",
    "resume": "Continue the rollout that `isshoni pause` paused.",
    "abort": "Roll back the running rollout, and show it until all users are on stable again.",
    "promote": "Skip the rest of the current bake, or of the wait before the old slot is stopped.",
    "plan": "Forecast a rollout by the configured plan: its duration, rate and peak load.",
    "failover": "Let the other region serve, and move all users there.",
    "failback": "Return to the region that served before the last failover: "
    "a planned failover back.",
    "drill": "Rehearse a failover: two regions, clients and a ledger, in a temporary directory.",
    "evacuate": "Move all sessions of a process to the other processes of its slot.",
    "rebalance": "Move sessions until no process of the live slot has 10 % more than the average.",
    "status": "Show the slots and their versions, health and connections, and the last rollout.",
    "logs": "Show the last lines of a program's log.",
    "history": "List the last rollouts, or everything that happened in one.",
    "dashboard": "Serve a live view in the browser: slots, connections, history, logs, controls.",
    "verify": "Connect synthetic users, deploy while they are active, and check the SLA.",
    "token": "Print a signed token that allows a client to join a session.",
    "attend": "Report a rollout without an engine, and empty machines that are about to end.",
    "notify": "Send a test message to each of the `[notifications] urls` of the configuration.",
    "doctor": "Check that this machine can run a local environment; repair it with `--fix`.",
    "install-service": "Install a systemd service that starts the environment at boot.",
    "backup": "Write a backup of the local environment to FILE, while it runs.",
    "down": "Stop the environment; keep messages and canvases, unless `--purge` is given.",
}
"""Each subcommand in its order in `--help`, with the first line of its docstring."""


class Verbs(TyperGroup):
    """Lists the subcommands of `VERBS`, and loads the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the loaded command instead of its entry in the list."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load_verb(str(name)), rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help with all subcommands."""
        del formatter
        from isshoni.cli.help_pages import print_help  # slow to load

        print_help(self, ctx)


def list_verbs(app: typer.Typer) -> None:
    """Register every subcommand without loading it."""
    for name, summary in VERBS.items():
        app.command(name, help=summary)(_listed)


class Verb(TyperCommand):
    """A subcommand whose help ends with examples, each on its own line at any width."""

    examples = ""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the command line; a value that does not fit is a `BadParameter` in our words."""
        try:
            return super().make_context(*args, **more)
        except typer.BadParameter as fault:
            describe_bad_value(fault)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line as documents write them: `VERSION`, no braces."""
        return [it.replace("{", "").replace("}", "") for it in super().collect_usage_pieces(ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, then the examples as they are, so that they can be copied."""
        del formatter
        from isshoni.cli.help_pages import print_help  # slow to load

        print_help(self, ctx)
        if self.examples:
            print(f" Examples:\n\n{textwrap.indent(self.examples, '   ')}\n")


def describe_bad_value(fault: typer.BadParameter) -> None:
    """Replace pydantic's message of a fault, if it has one, by ours with the value."""
    found = getattr(fault.__cause__, "errors", None)  # only Typer of 2026 and later uses pydantic
    if found is None:
        return
    from isshoni.validation import describe_fault  # slow to load

    first = found()[0]
    words, value = describe_fault(first).rstrip("."), f"{first['input']!r:.60}"
    fault.message = words if value.strip("'") in words else f"{words} (it is {value})"


def load_verb(name: str) -> Any:
    """Import a subcommand's module, and return the command with its options."""
    single = typer.Typer(
        pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False
    )
    function = load_function(name)
    words, examples = split_examples(function.__doc__)
    single.command(name, cls=Verb, help=words)(function)
    gc.freeze()  # the garbage collector need not search the loaded modules again
    command = typer.main.get_command(single)
    command.examples = examples  # type: ignore[attr-defined]
    return command


def load_function(name: str) -> Any:
    """Import a subcommand's module, and return the function that implements it."""
    module = name.replace("-", "_")
    return getattr(import_module(f"isshoni.cli.{module}"), module)


def split_examples(docstring: str) -> tuple[str, str]:
    """Return a subcommand's help without its examples, and the examples, a line each."""
    words: list[str] = []
    examples: list[str] = []
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        # (cleandoc removes the indentation of examples that nothing follows.)
        is_example = paragraph.startswith(("    ", "isshoni "))
        (examples if is_example else words).append(paragraph)
    return "\n\n".join(words), textwrap.dedent("\n\n".join(examples))


def _listed() -> None:
    raise NotImplementedError("a verb is loaded before it is called")

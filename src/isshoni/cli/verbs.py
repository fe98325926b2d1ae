"""The verbs of `isshoni`, each in the module of its name, loaded when it is used.

Between them they need everything there is, and a person who asks for help or for the
status should not wait for what moves ten thousand sessions.
"""

import gc
import inspect
import textwrap
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

VERBS = {
    "up": "Bring the environment up, or repair what does not run.",
    "deploy": "Start VERSION beside the old one, test it, move all users to it, stop the old one.",
    "rollback": "Roll back the running rollout, or else return all users to the previous version.",
    "pause": "Hold the rollout that runs before its next step, and let nobody else move.",
    "resume": "Go on with the rollout that `isshoni pause` holds.",
    "abort": "Roll back the running rollout, and show it until all users are on stable again.",
    "promote": "Skip what is left of the present bake, or of keeping the old colour warm.",
    "plan": "Work out a rollout by the configured plan: how long, what rate, what peak.",
    "status": "Show what runs, which version users are on, and the last rollout.",
    "logs": "Show what a program wrote.",
    "history": "Show the last rollouts, or all that happened in one.",
    "dashboard": "Serve the live view: what runs, where people are, history, logs, and the reins.",
    "verify": "Put live users on the platform, deploy under their feet, and judge what they felt.",
    "token": "Print a signed token that lets its bearer into a session.",
    "attend": "Report a rollout without an engine, and roll it back if configured.",
    "notify": "Send a test message to every one of `[notifications] urls` of the configuration.",
    "doctor": "Look at what a local environment needs of this machine; change nothing.",
    "down": "Stop the environment; messages and canvases are kept, unless `--purge` is given.",
}
"""In their order in `--help`, with the first line of what they say of themselves."""


class Verbs(TyperGroup):
    """Lists the verbs by `VERBS`, and loads the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the verb itself in the place of its listing."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load_verb(str(name)), rest


def list_verbs(app: typer.Typer) -> None:
    """Register every verb, unloaded."""
    for name, summary in VERBS.items():
        app.command(name, help=summary)(_listed)


def load_verb(name: str) -> Any:
    """Load the command of a verb, with its options."""
    single = typer.Typer(
        pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False
    )
    command = getattr(import_module(f"isshoni.cli.{name}"), name)
    single.command(name, help=fence_examples(command.__doc__))(command)
    gc.freeze()  # what was loaded stays: `deploy` and `verify` need not look through it again
    return typer.main.get_command(single)


def fence_examples(docstring: str) -> str:
    """Return a verb's help with its indented examples as fenced code, a line each.

    Typer takes the indentation away where examples come first or last, and joins their lines.
    """
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    fenced = (
        f"```\n{textwrap.dedent(p)}\n```" if p.startswith(("    ", "isshoni ")) else p
        for p in paragraphs
    )
    return "\n\n".join(fenced)


def _listed() -> None:
    raise NotImplementedError("a verb is loaded before it is called")

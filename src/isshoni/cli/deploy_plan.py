"""Print what a deploy would do."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from isshoni.cli.context import Context
from isshoni.cli.limits import print_limits, show_limits
from isshoni.cli.output import console, print_json, styled
from isshoni.engine.errors import NothingToDo
from isshoni.environments.place import Preview
from isshoni.rollout.limits import describe_other_program
from isshoni.rollout.model import Release, Stable, other
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollout
from isshoni.rollout.steps import Step, plan_steps


def show_plan(
    context: Context,
    release: Release,
    unfinished: Rollout | None,
    preview: Preview | None = None,
    *,
    json: bool,
) -> None:
    """Print the steps that a deploy would do: all, or those left of an unfinished rollout.

    `preview`: what the environment would change for it.
    """
    if json:
        print_json({**describe_plan(context, release, unfinished), "preview": preview})
        return
    print_plan(context, release, unfinished)
    print_preview(preview)


async def preview_deploy(context: Context, release: Release) -> Preview | None:
    """Return what the environment would change for a release; None if no tool plans that."""
    stable = context.journal.read_stable()
    if stable is None:
        return None
    return await context.place.preview_start(other(stable.colour), release)


def describe_plan(context: Context, release: Release, unfinished: Rollout | None) -> dict[str, Any]:
    """Return as JSON the steps that a deploy would do, or those left of an unfinished rollout."""
    stable = _read_stable(context)
    plan, steps = _choose_steps(context, unfinished)
    resumes = unfinished and {"id": unfinished.id, "rolls_back": bool(unfinished.rollback)}
    shown = {"release": release, "stable": stable, "resumes": resumes, "steps": steps}
    warning = describe_other_program(release, stable.release)
    limits = show_limits(stable, plan)
    return {**shown, "other_program": warning, **limits, "plan": plan.model_dump()}


def _read_stable(context: Context) -> Stable:
    stable = context.journal.read_stable()
    if stable is None:
        raise NothingToDo("nothing is deployed here yet: `isshoni up` first")
    return stable


def _choose_steps(
    context: Context, unfinished: Rollout | None
) -> tuple[RolloutPlan, Sequence[Step]]:
    if unfinished is None:
        return context.plan, plan_steps(context.plan)
    return unfinished.plan, unfinished.steps[unfinished.step_index :]


def print_plan(context: Context, release: Release, unfinished: Rollout | None) -> None:
    """Print the steps that a deploy would do, or those left of an unfinished rollout."""
    stable = _read_stable(context)
    plan, steps = _choose_steps(context, unfinished)
    if unfinished is None:
        console.print(
            styled(
                (release.name, "bold"),
                f" would go to {other(stable.colour)}, beside {stable.release.name} on "
                f"{stable.colour}:",
            )
        )
        warn_of_other_program(release, stable, console)
    elif unfinished.rollback is not None:
        console.print(
            f"would finish the rollback of rollout {unfinished.id}, to {stable.release.name} on "
            f"{stable.colour}; deploy {release.name} again after that"
        )
        return
    else:
        step = unfinished.step
        console.print(
            f"would resume rollout {unfinished.id} of {unfinished.release.name} at step "
            f"{step.number}:"
        )
    _list_steps(steps, plan, stable.release)
    print_limits(stable, plan)


def warn_of_other_program(release: Release, stable: Stable | None, to: Console) -> None:
    """Print a warning if a deploy replaces your program by Isshoni's own, or the reverse."""
    warning = stable and describe_other_program(release, stable.release)
    if warning:
        to.print(warning, style="yellow")


def print_preview(preview: Preview | None) -> None:
    """Print what the environment would change, if a tool plans that."""
    if preview is None:
        return
    if preview.changes:
        console.print("Terraform would:")
    elif preview.fault is None:
        console.print("Terraform would change nothing.")
    for change in preview.changes:
        console.print(f"  {change}")
    if preview.cost is not None:
        console.print(f"Cost: {preview.cost}.")
    if preview.fault is not None:
        console.print(f"! {preview.fault}", style="yellow")


def _list_steps(steps: Sequence[Step], plan: RolloutPlan, stable: Release) -> None:
    for step in steps:
        bake = f", then watch it for {plan.bake_seconds:g} s" if step.weight is not None else ""
        console.print(f"  {step.number:>2}  {step.phase:<8} {step.title}{bake}")
    if not stable.can_move_clients:
        return
    console.print(
        f"At most {plan.migrate_rate_per_second:g} connections move per second; those that do not "
        f"move by themselves are closed after {plan.drain_timeout_seconds:g} s."
    )

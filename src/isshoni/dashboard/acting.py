"""The routes of the dashboard's API that change something: all need the admin token."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from isshoni.dashboard.access import Access
from isshoni.dashboard.console import ActionKind, Console, Expected


class SeenState(BaseModel):
    """The last rollout that the user saw when they decided; an action is refused for another."""

    rollout: Annotated[str, Field(max_length=64)] | None = None
    outcome: Annotated[str, Field(max_length=16)] | None = None


class Ask(BaseModel):
    """The body of an action; without `seen` it is done whatever the last rollout is."""

    seen: SeenState | None = None

    @property
    def expected(self) -> Expected | None:
        """Return the state that the user saw; None if they do not say."""
        return Expected(self.seen.rollout, self.seen.outcome) if self.seen else None


class AskReturn(Ask):
    """The body of a return to an earlier version."""

    rollout: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    """The id of the rollout that deployed it."""
    previous: bool = False
    """True for the release that was live before that rollout."""


class AskDeploy(Ask):
    """The body of a deploy."""

    version: Annotated[str, Field(max_length=256)]
    dry_run: bool = True


def make_acting(console: Console, access: Access) -> APIRouter:
    """Return the routes of the actions."""
    router = APIRouter(prefix="/api", dependencies=[Depends(access.check_acting)])

    @router.post("/actions/{kind}", status_code=202)
    async def act(request: Request, kind: ActionKind, ask: Ask | None = None) -> dict[str, str]:
        expected = ask.expected if ask else None
        who = name_asker(console, request)
        return dict(await console.act(kind, who=who, expected=expected))

    @router.post("/returns", status_code=202)
    async def return_to(request: Request, ask: AskReturn) -> dict[str, str]:
        who = name_asker(console, request)
        await console.return_to(ask.rollout, previous=ask.previous, who=who, expected=ask.expected)
        return {"asked": "return"}

    @router.post("/deploys", status_code=202)
    async def deploy(request: Request, ask: AskDeploy) -> dict[str, Any]:
        if ask.dry_run:
            return {"plan": await console.plan_deploy(ask.version)}
        who = name_asker(console, request)
        await console.deploy(ask.version, who=who, expected=ask.expected)
        return {"asked": "deploy"}

    return router


def name_asker(console: Console, request: Request) -> str:
    """Return who asks, as the journal records it: the dashboard's user and the client's address."""
    address = request.client.host if request.client else "an unknown address"
    return f"{console.engine.name_asker()} (dashboard, from {address})"

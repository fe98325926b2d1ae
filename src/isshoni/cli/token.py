"""`isshoni token`: sign a session token."""

import re
import time
from typing import Annotated

import typer

from isshoni.backend.security.auth import ANY_SESSION, MAX_NAME_CHARACTERS, ROLES, Role, Tokens
from isshoni.backend.settings.settings import read_token_keys
from isshoni.cli.context import EnvironmentOption, JsonFlag, open_context
from isshoni.cli.output import print_json
from isshoni.session.identifiers import is_identifier

_SPAN = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def token(
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="Session id, or `*` for every session.")
    ],
    role: Annotated[str, typer.Option(help="What the token allows: `read` or `write`.")] = "write",
    expires: Annotated[str, typer.Option(help="How long it is valid: 30s, 15m, 1h, 7d.")] = "1h",
    subject: Annotated[
        str, typer.Option(help="Id of the user or program that gets it: [A-Za-z0-9_-].")
    ] = "guest",
    name: Annotated[str | None, typer.Option(help="Name shown with its messages.")] = None,
    environment: EnvironmentOption = "local",
    json: JsonFlag = False,
) -> None:
    """Print a signed token that allows a client to join a session.

    The environment must require tokens (`auth = true` under `[environments.local]`);
    otherwise any client may join without one. docs/security.md describes the token.

        isshoni token team --subject ann --name Ann --expires 8h
        isshoni token "*" --subject monitor --role read
    """
    if session != ANY_SESSION and not is_identifier(session):
        raise typer.BadParameter(
            f"{session!r} is not a session id (1 to 64 of A-Z a-z 0-9 _ -)", param_hint="SESSION"
        )
    if not is_identifier(subject):
        raise typer.BadParameter(f"{subject!r} is not 1 to 64 of A-Z a-z 0-9 _ -")
    if name is not None and not (0 < len(name) <= MAX_NAME_CHARACTERS and name.isprintable()):
        raise typer.BadParameter(f"a name is 1 to {MAX_NAME_CHARACTERS} printable characters")
    expires_at = time.time() + _parse_span(expires)
    with open_context(environment) as context:
        keys = context.place.token_keys
    made = Tokens(read_token_keys(keys)).mint(
        session,
        subject=subject,
        role=_parse_role(role),
        expires_at=expires_at,
        name=name,
    )
    if json:
        print_json({"token": made, "expires_at": expires_at})
    else:
        print(made)


def _parse_role(text: str) -> Role:
    for role in ROLES:
        if text == role:
            return role
    raise typer.BadParameter(f"{text!r} is not one of: {', '.join(ROLES)}", param_hint="--role")


def _parse_span(text: str) -> int:
    found = _SPAN.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= 366 * 86_400:
        hint = "like 30s, 15m, 1h or 7d (at most a year)"
        raise typer.BadParameter(f"{text!r} is not a duration {hint}", param_hint="--expires")
    return seconds

"""The options of `isshoni verify`."""

from pathlib import Path
from typing import Annotated

import typer

from isshoni.verify.stock.settings import Kind

OWN = "Isshoni's own clients"
STOCK = "Clients of any WebSocket application"

ClientsOption = Annotated[
    int, typer.Option("--clients", min=1, max=20_000, help="Synthetic users.")
]
SessionsOption = Annotated[
    int, typer.Option("--sessions", min=1, help="Sessions, or rooms, that they share.")
]
SecondsOption = Annotated[
    float, typer.Option("--seconds", min=1, help="How long they send at least, deploys included.")
]
DeploysOption = Annotated[
    list[str] | None,
    typer.Option("--deploy", help="Deploy this version during the run; can be repeated."),
]
DuringOption = Annotated[
    list[str] | None,
    typer.Option(
        "--during",
        metavar="COMMAND",
        help="Run this shell command during the run, in place of --deploy; can be repeated.",
    ),
]
RepeatOption = Annotated[
    int, typer.Option("--repeat", min=1, help="Repeat the list of deploys this often.")
]
ExpectOption = Annotated[
    str, typer.Option("--expect", help="How each deploy must end: `promoted` or `rolled_back`.")
]
DeployCommandOption = Annotated[
    str | None,
    typer.Option("--command", help="The `--command` of each deploy: another program to run."),
]
MessagesOption = Annotated[
    float, typer.Option("--messages-per-second", min=0, help="Of each user.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="The same seed sends the same messages and edits.")
]
StrictFlag = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Check the project's own targets too, which are stricter than the SLA.",
    ),
]
JsonFileOption = Annotated[
    Path | None, typer.Option("--json", help="Write the result as JSON to this file.")
]
HtmlFileOption = Annotated[
    Path | None, typer.Option("--html", help="Write an HTML report to this file.")
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Address that users connect to (`ws://HOST:PORT`)."),
]

WorkersOption = Annotated[
    str,
    typer.Option(
        "--workers",
        help="Processes for the users: a number, or `auto` (one per 2,500).",
        rich_help_panel=OWN,
    ),
]
FullClientsOption = Annotated[
    int | None,
    typer.Option(
        "--full-clients",
        min=0,
        help="Users that are whole clients; the others have a leaner socket and canvas. "
        "By default a tenth of them, at least 100.",
        rich_help_panel=OWN,
    ),
]
EditsOption = Annotated[
    float,
    typer.Option("--edits-per-second", min=0, help="Of each user.", rich_help_panel=OWN),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="ISSHONI_TOKEN",
        show_envvar=True,
        help="Token, if sessions require one: see `isshoni token '*'`.",
        rich_help_panel=OWN,
    ),
]

ClientOption = Annotated[
    Kind | None,
    typer.Option(
        "--client",
        help="Use this library's clients in place of Isshoni's own; --url is needed then.",
        rich_help_panel=STOCK,
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--message-template",
        metavar="TEXT",
        help="What a client sends, with `{id}` in it; `{room}`, `{client}` and `{number}` are "
        "filled in too, as in the other options. "
        'For socket.io a JSON list, by default `["message", "{id}"]`.',
        rich_help_panel=STOCK,
    ),
]
JoinOption = Annotated[
    list[str] | None,
    typer.Option(
        "--join",
        metavar="TEXT",
        help="A message to send first on each connection; can be repeated.",
        rich_help_panel=STOCK,
    ),
]
AuthOption = Annotated[
    str | None,
    typer.Option(
        "--auth",
        metavar="TEXT",
        help="socket.io: the `auth` of the handshake, as JSON. hocuspocus: the token.",
        rich_help_panel=STOCK,
    ),
]
PathOption = Annotated[
    str | None,
    typer.Option(
        "--path", help="socket.io: the path, if it is not `/socket.io`.", rich_help_panel=STOCK
    ),
]
OfflineFlag = Annotated[
    bool,
    typer.Option(
        "--offline",
        help="Never install the npm packages of the clients: use what is there.",
        rich_help_panel=STOCK,
    ),
]

"""`isshoni dashboard`: serve a live view in the browser."""

import asyncio
import os
import sys
from typing import Annotated

import typer

from isshoni.cli.context import Context, EnvironmentOption, open_context, run
from isshoni.cli.options import options
from isshoni.cli.output import console as terminal
from isshoni.dashboard.access import Access
from isshoni.dashboard.app import create_app
from isshoni.dashboard.console import Console
from isshoni.dashboard.server import check_host, open_socket, serve


def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free one.")
    ] = 8087,
    token_to_read: Annotated[
        bool,
        typer.Option(help="Require the admin token for reading too; needed if not on loopback."),
    ] = False,
    environment: EnvironmentOption = "local",
) -> None:
    """Serve a live view in the browser: slots, connections, history, logs, controls.

    Prints its address with the admin token after `#`: browsers never send that part to a
    server. Ctrl-C stops the dashboard; a rollout continues without it.

        isshoni dashboard
        isshoni dashboard --port 0
        isshoni dashboard --host 0.0.0.0 --token-to-read   # behind your own TLS proxy
    """
    check_host(host, guards_reading=token_to_read)
    with open_context(environment) as context:
        token = context.place.admin_token
        app = create_app(_make_console(context, environment), Access(token, token_to_read))
        with open_socket(host, port) as listening:
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{listening.getsockname()[1]}/#token={token}"
            terminal.print(address, soft_wrap=True)
            run(serve(app, listening))


def _make_console(context: Context, environment: str) -> Console:
    return Console(
        engine=context.engine,
        reports=context.reports,
        read_log=context.place.tail_log,
        start_rollback=lambda: _start_rollback(context, environment),
        address=context.place.public_url,
        secret=context.place.admin_token.encode(),
    )


async def _start_rollback(context: Context, environment: str) -> None:
    """Start `isshoni rollback` in a process of its own; it writes to `rollback.log`."""
    command = [sys.executable, "-m", "isshoni.cli", "rollback", "--environment", environment]
    environ = dict(os.environ)
    if options.config_file:
        environ["ISSHONI_CONFIG"] = str(options.config_file.absolute())
    logs = context.place.state_dir / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (logs / "rollback.log").open("ab") as log:
        await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environ,
            start_new_session=True,
        )

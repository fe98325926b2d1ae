"""`isshoni dashboard`: serve a live view in the browser."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from isshoni.cli.context import Context, EnvironmentOption, open_context, run
from isshoni.cli.lasting_output import LOG_NAME
from isshoni.cli.options import options
from isshoni.cli.output import console as terminal
from isshoni.dashboard.access import Access
from isshoni.dashboard.app import create_app
from isshoni.dashboard.commands import ProcessCommands
from isshoni.dashboard.console import Console, Logs
from isshoni.dashboard.server import check_host, open_socket, serve
from isshoni.environments.local.logs import tail
from isshoni.environments.place import Place

OWN_LOGS = (LOG_NAME, "deploy", "rollback")
"""The logs of engines without a terminal: it was closed, or the dashboard started the engine."""


def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free one.")
    ] = 8087,
    token_to_read: Annotated[
        bool,
        typer.Option(help="Require the admin token for reading too; needed if not on loopback."),
    ] = False,
    allow_deploy: Annotated[
        bool,
        typer.Option(
            "--allow-deploy",
            help="Allow the page, with the token, to start deploys of labels and of git:REF.",
        ),
    ] = False,
    environment: EnvironmentOption = "local",
) -> None:
    """Serve a live view in the browser: slots, connections, history, logs, controls.

    Prints its address with the admin token after `#`: browsers never send that part to a
    server. Ctrl-C stops the dashboard; a rollout continues without it.

        isshoni dashboard
        isshoni dashboard --port 0
        isshoni dashboard --allow-deploy                   # also deploy from the page
        isshoni dashboard --host 0.0.0.0 --token-to-read   # behind your own TLS proxy
    """
    check_host(host, guards_reading=token_to_read)
    with open_context(environment) as context:
        token = context.place.admin_token
        console = _make_console(context, environment, allow_deploy=allow_deploy)
        app = create_app(console, Access(token, token_to_read))
        with open_socket(host, port) as listening:
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{listening.getsockname()[1]}/#token={token}"
            terminal.print(address, soft_wrap=True)
            run(serve(app, listening))


def _make_console(context: Context, environment: str, *, allow_deploy: bool) -> Console:
    return Console(
        engine=context.engine,
        reports=context.reports,
        logs=_find_logs(context.place),
        commands=_make_commands(context, environment),
        address=context.place.public_url,
        secret=context.place.admin_token.encode(),
        allows_deploy=allow_deploy,
        is_standby=_make_standby_check(context),
    )


def _make_standby_check(context: Context) -> Callable[[], bool]:
    """Return a function: True if this is a local region that stands by at that moment."""
    from isshoni.environments.local.region_environment import RegionEnvironment  # slow to load

    place = context.place
    if isinstance(place, RegionEnvironment):
        return lambda: place.is_standby  # a failover changes it while the dashboard runs
    return lambda: False


def _find_logs(place: Place) -> Logs:
    """Return the logs of the environment, and of engines that have no terminal."""
    directory = place.state_dir / "logs"

    def find_own() -> list[str]:
        return [name for name in OWN_LOGS if (directory / f"{name}.log").is_file()]

    async def read(name: str, lines: int) -> Sequence[str]:
        if name in OWN_LOGS:
            return tail(directory / f"{name}.log", lines)
        return await place.tail_log(name, lines)

    return Logs(lambda: [*place.log_names, *find_own()], read)


def _make_commands(context: Context, environment: str) -> ProcessCommands:
    environ = dict(os.environ)
    if options.config_file:
        environ["ISSHONI_CONFIG"] = str(options.config_file.absolute())
    return ProcessCommands(
        prefix=[sys.executable, "-m", "isshoni.cli"],
        suffix=["--environment", environment],
        logs=context.place.state_dir / "logs",
        environ=environ,
    )

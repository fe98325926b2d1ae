"""`isshoni verify`: measure with synthetic users whether the SLA is met."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer
import uvloop

from isshoni.cli.context import DryRunFlag, EnvironmentOption, open_context, read_config
from isshoni.cli.deploy_runner import CommandDeployRunner
from isshoni.cli.output import print_forecast, progress
from isshoni.cli.releases import Wanted, check_request
from isshoni.cli.shell_runner import SUCCESS, ShellRunner
from isshoni.cli.stopped import refuse_stopped
from isshoni.cli.verify_options import (
    AuthOption,
    ClientOption,
    ClientsOption,
    DeployCommandOption,
    DeploysOption,
    DuringOption,
    EditsOption,
    ExpectOption,
    FullClientsOption,
    HtmlFileOption,
    JoinOption,
    JsonFileOption,
    MessagesOption,
    OfflineFlag,
    PathOption,
    RepeatOption,
    SecondsOption,
    SeedOption,
    SessionsOption,
    StrictFlag,
    TemplateOption,
    TokenOption,
    UrlOption,
    WorkersOption,
)
from isshoni.cli.verify_output import Stages, show_command_line, write
from isshoni.cli.verify_stock import make_stock, refuse_stock_options, run_stock
from isshoni.errors import ExitCode
from isshoni.plurals import count
from isshoni.verify.machine import choose_workers
from isshoni.verify.ports import DeployRunner
from isshoni.verify.result import Result
from isshoni.verify.run import verify as run_verify
from isshoni.verify.settings import InvalidRun, PlannedDeploy, RunSettings
from isshoni.verify.users import Habits


def verify(
    clients: ClientsOption = 50,
    sessions: SessionsOption = 10,
    seconds: SecondsOption = 30.0,
    deploys: DeploysOption = None,
    during: DuringOption = None,
    repeat: RepeatOption = 1,
    expect: ExpectOption = "promoted",
    command: DeployCommandOption = None,
    messages_per_second: MessagesOption = 1.0,
    seed: SeedOption = 1,
    strict: StrictFlag = False,
    json_file: JsonFileOption = None,
    html_file: HtmlFileOption = None,
    url: UrlOption = None,
    environment: EnvironmentOption = "local",
    client: ClientOption = None,
    message_template: TemplateOption = None,
    join: JoinOption = None,
    auth: AuthOption = None,
    path: PathOption = None,
    offline: OfflineFlag = False,
    workers: WorkersOption = "auto",
    full_clients: FullClientsOption = None,
    edits_per_second: EditsOption = 0.5,
    token: TokenOption = None,
    dry_run: DryRunFlag = False,
) -> None:
    """Connect synthetic users, deploy while they are active, and check the SLA.

    Every message and edit is recorded in a ledger: each one that was acknowledged must
    reach every user of its session, once and in order. `--json -` prints the result on stdout.
    With `--client`, the users are clients of another library, for any WebSocket application.

        isshoni verify
        isshoni verify --clients 200 --sessions 20 --seconds 40 --deploy v1.1
        isshoni verify --deploy v1.1 --deploy v1.2 --repeat 10 --html report.html
        isshoni verify --deploy v1.1 --dry-run   # only say what would be done
        isshoni verify --client plain --url ws://127.0.0.1:8000/ws/{room} --during ./restart.sh

    Exit codes: 0 the SLA was met, 1 it was not, 2 the trial message or an option shows that
    nothing could be judged, 4 no client could connect or no message came back.
    """
    planned, runner = _plan_deploys(deploys, during, repeat, expect, environment, command)
    settings = RunSettings(
        clients=clients,
        sessions=sessions if client is None else min(sessions, clients),
        full_clients=full_clients,
        seed=seed,
        talk_seconds=seconds,
        habits=Habits(messages_per_second, edits_per_second),
        token=token,
        strict=strict,
    )
    if dry_run:
        steps = [deploy.version for deploy in planned]
        where = url or f"the environment {environment}"
        words = _forecast(settings, where, steps, during=bool(during))
        print_forecast(words, json=json_file == Path("-"), url=url, runs=steps)
        return
    if client is None:
        refuse_stock_options(
            {"--message-template": message_template, "--join": join, "--auth": auth, "--path": path}
        )
        settings = replace(settings, workers=_count_workers(workers, clients, sessions))
        result = _run_own(url or _find_url(environment), settings, planned, runner)
    else:
        stock = make_stock(
            client, url, template=message_template, joins=join or (), auth=auth, path=path
        )
        result = run_stock(stock, settings, planned, runner, offline=offline)
    write(result, json_file, html_file)
    raise typer.Exit(ExitCode.OK if result.sla.met else ExitCode.SLA_NOT_MET)


def _forecast(settings: RunSettings, where: str, steps: Sequence[str], *, during: bool) -> str:
    users = f"{count(settings.clients, 'user')} in {count(settings.sessions, 'session')}"
    what = "run" if during else "deploy"
    then = f", and {what} while they are active: {'; '.join(steps)}" if steps else ""
    return f"would connect {users} to {where} for {settings.talk_seconds:g} s{then}"


def _plan_deploys(
    deploys: Sequence[str] | None,
    during: Sequence[str] | None,
    repeat: int,
    expect: str,
    environment: str,
    command: str | None,
) -> tuple[list[PlannedDeploy], DeployRunner]:
    """Return what is run while the users are active, and the part that runs it."""
    if deploys and during:
        raise InvalidRun(
            "--deploy and --during exclude each other: write the deploy as a command of --during, "
            f"for example --during 'isshoni deploy {deploys[0]}'"
        )
    if during:
        planned = [PlannedDeploy(line, SUCCESS, is_command=True) for line in list(during) * repeat]
        return planned, ShellRunner(show_command_line)
    if deploys:
        app = read_config().app
        for version in deploys:
            check_request(version, app, Wanted(command))
    arguments = ("--environment", environment, *(("--command", command) if command else ()))
    planned = [PlannedDeploy(version, expect) for version in list(deploys or []) * repeat]
    return planned, CommandDeployRunner(arguments)


def _run_own(
    url: str, settings: RunSettings, planned: Sequence[PlannedDeploy], runner: DeployRunner
) -> Result:
    progress.print(
        f"· {count(settings.clients, 'user')} in {count(settings.sessions, 'session')} on {url}, "
        f"seed {settings.seed}",
    )
    return uvloop.run(
        run_verify(url, settings, deploys=planned, runner=runner, on_progress=Stages().show)
    )


def _count_workers(asked: str, clients: int, sessions: int) -> int:
    if asked == "auto":
        return choose_workers(clients, sessions)
    if not asked.isdecimal():
        raise InvalidRun(f"--workers {asked!r} is neither a number nor `auto`")
    return int(asked)


def _find_url(environment: str) -> str:
    with open_context(environment) as context:
        refuse_stopped(context)
        return context.place.public_url.replace("http", "ws", 1)

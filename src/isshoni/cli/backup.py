"""`isshoni backup`: write what must survive into one archive."""

from pathlib import Path
from typing import Annotated

import typer

from isshoni.cli.context import DryRunFlag, JsonFlag
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.output import console, print_forecast, print_json, progress
from isshoni.cli.region_option import RegionOption, find_local_config
from isshoni.environments.local.backup import AOF, JOURNAL, KEPT, write_backup


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write (tar, gzip).")],
    region: RegionOption = None,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Write a backup of the local environment to FILE, while it runs.

    The environment may be down, too. The archive has every message and edit acknowledged before,
    the history of rollouts, the installed versions, and the secrets: keep it private.
    docs/backup.md describes how to restore it.

        isshoni backup isshoni.tar.gz
        isshoni backup /mnt/backups/isshoni.tar.gz --json

    Exit codes: 0 it was written, 4 it could not be written; an older FILE is unchanged then.
    """
    config = find_local_config(region)
    if not config.state_dir.is_dir():
        raise NoEnvironment(config.state_dir)
    own_redis = config.redis_url is None
    if dry_run:
        names = [JOURNAL, *([str(AOF)] if own_redis else []), *KEPT]
        there = [name for name in names if (config.state_dir / name).exists()]
        words = f"would write {file} with {', '.join(there)} of {config.state_dir}"
        print_forecast(words, json=json, file=str(file.absolute()), parts=there)
        return
    done = write_backup(config.state_dir, file.absolute(), own_redis=own_redis)
    if not own_redis:
        progress.print(
            "The sessions are not in it: they are in the Redis of `redis_url`; back that one up "
            "too (docs/backup.md).",
            style="yellow",
        )
    if json:
        print_json(done)
    else:
        console.print(f"wrote {file} ({done.bytes:,} bytes)")

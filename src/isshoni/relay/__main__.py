"""`python -m isshoni.relay`: run a relay; its settings are in the environment."""

import faulthandler
import os
import sys

import uvloop

from isshoni.backend.log import configure_logging
from isshoni.backend.metrics.open_files import raise_open_files_limit
from isshoni.errors import IsshoniError
from isshoni.relay.process import RelayProcess
from isshoni.relay.settings import read_relay_settings


def main() -> int:
    """Run the relay until a signal; return its exit code."""
    faulthandler.enable()  # so that SIGABRT prints where a hanging program is
    try:
        settings = read_relay_settings(os.environ)
        configure_logging()
        raise_open_files_limit()
        return int(uvloop.run(RelayProcess(settings).run()))
    except IsshoniError as fault:
        sys.stderr.write(f"isshoni.relay: {fault}\n")
        return int(fault.exit_code)


if __name__ == "__main__":
    sys.exit(main())

"""Lose the serving region again and again (kill -9 of all of it): how long users are cut."""

import argparse
import sys

import msgspec

from isshoni.cli.drill_report import print_verdict
from isshoni.cli.drill_run import Drill, run_drill


def main() -> int:
    """Run the drill of emergencies, and print its verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    verdict = run_drill(Drill(options.clients, options.runs, only="emergency"))
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(verdict)).decode())
    else:
        print_verdict(verdict)
    return 0 if verdict.met else 1


if __name__ == "__main__":
    sys.exit(main())

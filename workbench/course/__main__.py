"""For teachers: `python -m workbench.course standings FOLDER`, or `exercises` for the list of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from workbench.errors import WorkbenchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; the exit code is 1 where a receipt does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.course", description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ranks = commands.add_parser("standings", help="verify the receipts in a folder, and rank them")
    ranks.add_argument("folder", metavar="FOLDER")
    ranks.add_argument("--csv", action="store_true", help="as a table for a spreadsheet")
    ranks.set_defaults(run=_standings)
    commands.add_parser("exercises", help="list all exercises").set_defaults(run=_exercises)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 2


def _standings(options: argparse.Namespace) -> int:
    from workbench.course.leaderboard import standings

    found = standings(options.folder)
    print(found.csv() if options.csv else found, end="" if options.csv else "\n")
    return int(bool(found.refused))


def _exercises(options: argparse.Namespace) -> int:
    from workbench.course.registry import exercises

    for each in exercises():
        print(f"{each.name:18} {each.question}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fail if a room has more words to replace than its limit; see CONTRIBUTING.md, Words."""

import argparse
import re
import sys

from tools.words.find import Hit
from tools.words.rooms import LIMITS, find_hits, read_limits

_SHOWN = 40
_EPILOG = """\
examples:
  python -m tools.words                          what scripts/check runs
  python -m tools.words src/isshoni/client       list the words of a room
  python -m tools.words --lower                  write the present, lower numbers"""


def main() -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args()
    limits = read_limits()
    hits = find_hits(limits)
    if options.room:
        return _list_room(options.room, hits)
    risen = {room: found for room, found in hits.items() if len(found) > limits.rooms[room]}
    for room, found in risen.items():
        print(f"words: {room} has {len(found)} words to replace; {limits.rooms[room]} are allowed.")
        print("".join(f"  {hit}\n" for hit in found[:_SHOWN]), end="")
    fallen = {room: len(f) for room, f in hits.items() if len(f) < limits.rooms[room]}
    if options.lower:
        _lower(fallen)
    elif fallen:
        print(f"words: {len(fallen)} rooms have fewer than they may: python -m tools.words --lower")
    if risen:
        print("CONTRIBUTING.md, Words, has what to write in their place.")
    return 1 if risen else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.words",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("room", nargs="?", help="list the words of this room")
    parser.add_argument("--lower", action="store_true", help="lower the limits that were passed")
    return parser


def _list_room(room: str, hits: dict[str, list[Hit]]) -> int:
    rooms = [name for name in hits if name == room or name.startswith(f"{room.rstrip('/')}/")]
    if not rooms:
        print(f"words: there is no room {room}; rooms: {', '.join(hits)}", file=sys.stderr)
        return 2
    for name in rooms:
        print("".join(f"{hit}\n" for hit in hits[name]), end="")
    return 0


def _lower(fallen: dict[str, int]) -> None:
    text = LIMITS.read_text()
    for room, count in fallen.items():
        text = re.sub(rf'^"{re.escape(room)}" = \d+', f'"{room}" = {count}', text, flags=re.M)
    LIMITS.write_text(text)


if __name__ == "__main__":
    sys.exit(main())

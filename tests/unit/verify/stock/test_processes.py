"""The processes of stock clients: how their end and their last words are read."""

import asyncio
import sys

import pytest

from isshoni.verify.stock.orders import Plan
from isshoni.verify.stock.processes import ClientProcess, ClientsDied

PLAN = Plan("plain", "a1b2c3", (), 1.0, 100.0)


def run(code: str, lines: list[bytes]) -> ClientProcess:
    return ClientProcess([sys.executable, "-c", code], lines.append)


async def test_a_process_that_ended_by_itself_is_an_error_with_its_words() -> None:
    process = run("import sys; sys.exit('no such library')", [])
    await process.start(PLAN)
    with pytest.raises(ClientsDied, match=r"was ended by an error .*no such library"):
        await wait_for_end(process)
    await process.aclose()


async def wait_for_end(process: ClientProcess) -> None:
    """Check until the process has ended."""
    while True:
        await process.check()
        await asyncio.sleep(0)


async def test_a_line_that_was_cut_by_the_end_of_the_process_is_not_read() -> None:
    lines: list[bytes] = []
    process = run("print('[]'); print('[[\"sent\"', end='')", lines)
    await process.start(PLAN)
    with pytest.raises(ClientsDied):
        await wait_for_end(process)
    await process.aclose()
    assert lines == [b"[]\n"]

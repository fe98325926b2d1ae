"""Where a client's session tokens come from."""

import pytest

from isshoni.client.token import Token, TokenSource


async def _fresh() -> str:
    return " fresh \n"


@pytest.mark.parametrize(
    ("token", "fetched"),
    [("read from a file\n", "read from a file"), (_fresh, "fresh"), (None, None)],
)
async def test_white_space_around_a_token_is_no_part_of_it(
    token: Token | None, fetched: str | None
) -> None:
    assert await TokenSource(token, 1.0).fetch() == fetched

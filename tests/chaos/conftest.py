"""A real installation for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.installation import Installation, installed


@pytest.fixture
async def installation() -> AsyncIterator[Installation]:
    """An installation that is up, of this test alone."""
    async with installed() as installation:
        yield installation

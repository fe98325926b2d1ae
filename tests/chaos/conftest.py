"""A real installation for each test; one that a test left whole serves the next one too."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from tests.chaos.installation import Installation
from tests.support.local_environments import state_directory


class Site:
    """The place of one installation at a time."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._installation: Installation | None = None

    async def whole_installation(self) -> Installation:
        """Return the installation that is there, if it is whole, or else a new one."""
        if self._installation is None or not await self._installation.is_whole():
            self.clear()
            self._installation = Installation(self._stack.enter_context(state_directory()))
            await self._installation.up()
        return self._installation

    def clear(self) -> None:
        """Kill and remove what is there."""
        self._installation = None
        self._stack.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The place that the tests share: starting an installation takes longer than most faults."""
    site = Site()
    yield site
    site.clear()


@pytest.fixture
async def installation(site: Site, request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    """An installation that is whole; after a failure no other test uses it."""
    failed_before = request.session.testsfailed
    yield await site.whole_installation()
    if request.session.testsfailed > failed_before:
        site.clear()

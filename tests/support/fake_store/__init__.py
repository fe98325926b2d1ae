"""A session store in memory, one module for each port, for tests of what is built on one."""

from tests.support.fake_store.server import FakeServer, FakeSession
from tests.support.fake_store.store import FakeSessionStore

__all__ = ["FakeServer", "FakeSession", "FakeSessionStore"]

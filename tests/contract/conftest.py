"""Each contract test runs over every environment, or every session store, that there is."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from cryptography.fernet import Fernet

from isshoni.backend.security.vault import Vault
from isshoni.backend.store.ports import DeploymentStore, SessionStore
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.sealed_store import SealedStore
from tests.contract.aws_place import aws_stage, open_place
from tests.contract.environments import FakePlace, LocalPlace, Place
from tests.contract.session_stores import AnyServer, Open
from tests.support.aws.installation import StagingCommand
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.local_environments import local_environment
from tests.support.redis_cluster import RedisCluster
from tests.support.valkey import ValkeyServer, require_redis_server


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory, aws_endpoint: str) -> Iterator[StagingCommand]:
    """Give what stands in for an account, to all tests here: one of it takes a while."""
    with aws_stage(tmp_path_factory.mktemp("stage"), aws_endpoint) as stage:
        yield stage


@pytest.fixture(params=["fake", "local", "aws"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Give an environment that is up, with a good release on blue."""
    if request.param == "aws":
        place = await open_place(request.getfixturevalue("stage"))
        yield place
        await place.aclose()
        return
    async with _open(request.param) as opened:
        yield opened


@pytest.fixture(params=["fake", "local"])
async def supervised(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Give one that restarts programs itself, and whose balancer has a colour stand in.

    On AWS ECS does the one (test_aws_machines.py), and nothing the other: an empty target group
    answers 503.
    """
    async with _open(request.param) as opened:
        yield opened


@asynccontextmanager
async def _open(kind: str) -> AsyncIterator[Place]:
    if kind == "fake":
        fake = FakePlace()
        await fake.open()
        yield fake
        return
    async with local_environment() as environment:
        local = LocalPlace(environment)
        await local.open()
        yield local
        await local.aclose()
        await environment.down()


@pytest.fixture(scope="package")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey") / "data") as server:
        yield server


@pytest.fixture(scope="package")
def redis7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    program = require_redis_server()
    with ValkeyServer(tmp_path_factory.mktemp("redis") / "data", program=program) as server:
        yield server


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One of its own: once it holds sealed data, it is of no use without the key."""
    with ValkeyServer(tmp_path_factory.mktemp("sealed") / "data") as server:
        yield server


VAULT = Vault([Fernet.generate_key().decode()])


@pytest.fixture(params=["fake", "valkey", "redis7", "cluster", "sealed"])
def server_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def server(request: pytest.FixtureRequest, server_kind: str) -> AnyServer:
    """Return what the stores of a test share."""
    if server_kind == "fake":
        return FakeServer()
    real: ValkeyServer | RedisCluster = request.getfixturevalue(server_kind)
    return real


@pytest.fixture
async def open_store(server: AnyServer, server_kind: str) -> AsyncIterator[Open]:
    """Give a function that opens one more store on the same data."""
    stores: list[SessionStore] = []

    async def open_one() -> SessionStore:
        if isinstance(server, FakeServer):
            stores.append(FakeSessionStore(server))
        else:
            store = RedisStore(server.url)
            await store.start()
            stores.append(SealedStore(store, VAULT) if server_kind == "sealed" else store)
        return stores[-1]

    yield open_one
    for store in stores:
        await store.aclose()


@pytest.fixture
async def deployment(server: AnyServer) -> AsyncIterator[DeploymentStore]:
    """Open a store with the ports that are never sealed."""
    if isinstance(server, FakeServer):
        yield FakeSessionStore(server)
        return
    store = RedisStore(server.url)
    await store.start()
    yield store
    await store.aclose()


@pytest.fixture
async def store(open_store: Open) -> SessionStore:
    return await open_store()


@pytest.fixture
def session_id() -> str:
    return secrets.token_hex(8)

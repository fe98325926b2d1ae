"""Plans of the compositions: made once, two at a time, against a local server of the AWS API."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.aws.moto_server import moto_server
from tests.support.terraform.applied import make_client
from tests.support.terraform.composition import COMPOSITIONS, Composition
from tests.support.terraform.plan import Plan
from tests.support.terraform.program import find_terraform

INSTALLATION = {
    "domain_name": "chat.example.com",
    "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
    "alert_emails": ["team@example.com"],
}


def _list_network(number: int) -> Mapping[str, object]:
    """Return the output `network` of a region."""
    return {
        "vpc_id": f"vpc-{number:017x}",
        "cidr": f"10.{number}.0.0/16",
        "runner_cidr": f"10.{number}.64.0/20",
        "route_table_ids": [f"rtb-{number + zone:017x}" for zone in range(3)],
        "backend_group_id": f"sg-{number:017x}",
        "operator_group_id": f"sg-{number + 1:017x}",
        "admin_port": 9101,
    }


VARIABLES: Mapping[str, Mapping[str, object]] = {
    "bootstrap": {},
    "staging": INSTALLATION,
    "production": INSTALLATION
    | {"runner": True, "github": {"repository": "example/chat", "environment": "production"}},
    "multi-region/global": {name: INSTALLATION[name] for name in ("domain_name", "hosted_zone_id")},
    "multi-region/first": INSTALLATION,
    "multi-region/second": INSTALLATION | {"global_datastore_id": "sgaui-isshoni"},
    "multi-region/peering": {"first": _list_network(30), "second": _list_network(40)},
}
MakeComposition = Callable[..., Composition]


@pytest.fixture(scope="session")
def terraform_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield a server of which planning asks who it is, random passwords and, in the first of two
    regions, the AUTH token that their global part made.
    """
    find_terraform()
    with moto_server(tmp_path_factory.mktemp("moto")) as endpoint:
        secrets = make_client("secretsmanager", endpoint)
        secrets.create_secret(Name="isshoni/redis", SecretString="a" * 64)
        yield endpoint


@pytest.fixture(scope="session")
def make_composition(
    terraform_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> MakeComposition:
    """Give a maker of private copies, ready to plan."""

    def make(name: str, /, **variables: object) -> Composition:
        folder: Path = tmp_path_factory.mktemp(name.replace("/", "-"))
        given = {**VARIABLES.get(name, {}), **variables}
        made = Composition(name, folder, terraform_endpoint, **given)
        made.bend()
        made.init()
        return made

    return make


@pytest.fixture(scope="session")
def planned(make_composition: MakeComposition) -> Iterator[Mapping[str, Future[Plan]]]:
    """Give the plan of every composition, as it comes."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {
            name: pool.submit(lambda name=name: make_composition(name).plan())  # type: ignore[misc]
            for name in COMPOSITIONS
        }


@pytest.fixture
def plan(planned: Mapping[str, "Future[Plan]"], request: pytest.FixtureRequest) -> Plan:
    """Give the plan of the composition that the test is about, by default production's."""
    return planned[getattr(request, "param", "production")].result()

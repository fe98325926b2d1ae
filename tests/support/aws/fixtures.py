"""Fixtures of tests that speak to AWS: one server for all, nothing real ever reached."""

from collections.abc import Iterator

import pytest

from isshoni.environments.aws.api import AwsApi
from tests.support.aws.moto_server import REGION, aws_environment, moto_server


@pytest.fixture(scope="session")
def aws_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a server of the AWS API, with this process's environment set for it."""
    with moto_server(tmp_path_factory.mktemp("moto")) as endpoint:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in aws_environment(endpoint).items():
                patch.setenv(name, value)
            patch.delenv("AWS_PROFILE", raising=False)
            yield endpoint


@pytest.fixture
def aws_api(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> AwsApi:
    """Give calls of that server itself, whatever front of it a test has."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    return AwsApi(REGION, timeout_seconds=30.0)

"""Call the AWS API with botocore's retries; translate its exceptions to `AwsFault`."""

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from isshoni.environments.aws.errors import (
    AwsFault,
    CredentialsFault,
    MissingExtra,
    UnreachableFault,
    translate_answer,
)

Answer = dict[str, Any]
T = TypeVar("T")


class AwsApi:
    """Makes calls by service and operation; a failed one raises an `AwsFault`.

    `AWS_PROFILE`, `AWS_ENDPOINT_URL` and botocore's other variables are respected.
    """

    def __init__(
        self,
        region: str,
        *,
        attempts: int = 5,
        timeout_seconds: float = 5.0,
        role_arn: str = "",
    ) -> None:
        """Create it; with `role_arn`, every call is made with that role."""
        self.region = region
        self._role_arn = role_arn
        self._attempts = attempts
        self._timeout_seconds = timeout_seconds
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    def connect(self, *services: str) -> None:
        """Load botocore's clients now: it takes a second, which would delay an observation."""
        for service in services:
            self._client(service)

    async def call(self, service: str, operation: str, **arguments: Any) -> Answer:
        """Make one call in a thread, and return its answer."""
        return await asyncio.to_thread(self.call_now, service, operation, **arguments)

    async def call_all(
        self, service: str, operation: str, items: str, **arguments: Any
    ) -> list[Answer]:
        """Make a call for every page of an answer; return the list `items` of all pages."""
        return await asyncio.to_thread(self._read_pages, service, operation, items, arguments)

    def call_now(self, service: str, operation: str, **arguments: Any) -> Answer:
        """Make one call, blocking this thread, and return its answer."""
        client = self._client(service)

        def ask() -> Answer:
            answer: Answer = getattr(client, operation)(**arguments)
            return answer

        return translated(f"{service} {operation}", ask)

    def _read_pages(
        self, service: str, operation: str, items: str, arguments: dict[str, Any]
    ) -> list[Answer]:
        client = self._client(service)

        def read() -> list[Answer]:
            pages = client.get_paginator(operation).paginate(**arguments)
            return [item for page in pages for item in page.get(items, [])]

        return translated(f"{service} {operation}", read)

    def _client(self, service: str) -> Any:
        with self._lock:  # clients are thread-safe, creating them is not
            if service not in self._clients:
                self._clients[service] = self._connect(service)
            return self._clients[service]

    def _connect(self, service: str) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise MissingExtra from None
        config = Config(
            region_name=self.region,
            retries={"mode": "standard", "total_max_attempts": self._attempts},
            connect_timeout=min(2.0, self._timeout_seconds),
            read_timeout=self._timeout_seconds,
            max_pool_connections=20,
        )

        def connect() -> Any:
            session = boto3.session.Session(region_name=self.region)
            if self._role_arn:
                session = assume_role(session, self._role_arn)
            return session.client(service, config=config)

        return translated(f"{service} client", connect)


def assume_role(session: Any, role_arn: str) -> Any:
    """Return a session with a role that this session's credentials may assume, and renew it."""
    import boto3
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.session import get_session

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=session.client,
        source_credentials=session.get_credentials(),
        role_arn=role_arn,
        extra_args={"RoleSessionName": "isshoni"},
    )
    assumed = get_session()
    assumed.set_config_variable("region", session.region_name)
    assumed._credentials = DeferredRefreshableCredentials(  # there is no other way to set them
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.session.Session(botocore_session=assumed)


def export_role(region: str, role_arn: str) -> dict[str, str]:
    """Return fresh credentials of a role as environment variables; raises `AwsFault`."""

    def assume() -> dict[str, str]:
        import boto3

        session = assume_role(boto3.session.Session(region_name=region), role_arn)
        credentials = session.get_credentials().get_frozen_credentials()
        return {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_SESSION_TOKEN": credentials.token,
        }

    return translated("sts assume_role", assume)


def translated(call: str, work: Callable[[], T]) -> T:
    """Return the result of `work`; raise an `AwsFault` for an exception of botocore."""
    from botocore import exceptions as theirs

    try:
        return work()
    except theirs.ClientError as fault:
        raise translate_answer(call, dict(fault.response)) from None
    except (
        theirs.NoCredentialsError,
        theirs.PartialCredentialsError,
        theirs.CredentialRetrievalError,
        theirs.ProfileNotFound,
        theirs.SSOError,
        theirs.TokenRetrievalError,
    ) as fault:
        raise CredentialsFault(call, str(fault)) from None
    except (theirs.HTTPClientError, theirs.ConnectionError) as fault:
        raise UnreachableFault(call, str(fault)) from None
    except (theirs.BotoCoreError, ValueError, OSError) as fault:
        raise AwsFault(call, f"{type(fault).__name__}: {fault}") from None

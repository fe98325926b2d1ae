"""The AWS API: botocore's own retries and backoff, and nothing of botocore's exceptions."""

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
    """Calls by service and operation. Every one raises an `AwsFault` when it cannot.

    `AWS_PROFILE`, `AWS_ENDPOINT_URL` and the rest of botocore's environment hold.
    """

    def __init__(self, region: str, *, attempts: int = 5, timeout_seconds: float = 5.0) -> None:
        self.region = region
        self._attempts = attempts
        self._timeout_seconds = timeout_seconds
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    def connect(self, *services: str) -> None:
        """Load what is needed to speak to them: a second's work that no look should wait for."""
        for service in services:
            self._client(service)

    async def call(self, service: str, operation: str, **arguments: Any) -> Answer:
        """Make one call beside the loop."""
        return await asyncio.to_thread(self.call_now, service, operation, **arguments)

    async def call_all(
        self, service: str, operation: str, items: str, **arguments: Any
    ) -> list[Answer]:
        """Make one call and all that follow it, page by page; gives what `items` holds."""
        return await asyncio.to_thread(self._read_pages, service, operation, items, arguments)

    def call_now(self, service: str, operation: str, **arguments: Any) -> Answer:
        """Make one call and wait for it."""
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
        with self._lock:  # making one is not safe in several threads; using it is
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
        return translated(
            f"{service} client", lambda: boto3.session.Session().client(service, config=config)
        )


def translated(call: str, work: Callable[[], T]) -> T:
    """Do `work`; whatever botocore raises comes out as an `AwsFault`."""
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

"""Read those of the backends' secrets that a deploy needs."""

from functools import cached_property

import msgspec

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.errors import SecretFault
from isshoni.environments.aws.outputs import Outputs


class BackendSecret:
    """The secret whose JSON object becomes the backends' environment variables."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._name = outputs.backend_secret

    @property
    def admin_token(self) -> str:
        """The token for the backends' admin API."""
        return self._read("ISSHONI_ADMIN_TOKEN")

    @property
    def ticket_secret(self) -> str:
        """The secret that signs tickets."""
        return self._read("ISSHONI_TICKET_SECRET")

    @property
    def token_keys(self) -> str:
        """The keys that sign session tokens; empty if sessions require none."""
        return self._variables.get("ISSHONI_TOKEN_KEYS", "")

    def _read(self, variable: str) -> str:
        if not self._variables.get(variable):
            raise SecretFault(self._name, f"it has no {variable}")
        return self._variables[variable]

    @cached_property
    def _variables(self) -> dict[str, str]:
        answer = self._api.call_now("secretsmanager", "get_secret_value", SecretId=self._name)
        try:
            return msgspec.json.decode(answer.get("SecretString", ""), type=dict[str, str])
        except msgspec.MsgspecError:  # its message could quote the secret
            raise SecretFault(self._name, "it is not a JSON object with string values") from None

"""Whether users get in at the address of one region."""

from typing import TYPE_CHECKING

from isshoni.environments.aws.remembered import Remembered

if TYPE_CHECKING:  # slow to load, and few commands ask; no cycle
    import httpx

_TIMEOUT_SECONDS = 2.0
_LOOK_SECONDS = 0.5


class PublicAddress:
    """Asks the region's load balancer for `/readyz`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: httpx.AsyncClient | None = None
        self._seen = Remembered(self._look, _LOOK_SECONDS)

    async def is_open(self) -> bool:
        """True if it answers that it is ready: only the region that serves does."""
        return await self._seen.get()

    async def _look(self) -> bool:
        import httpx  # slow to load

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False)
        try:
            return (await self._client.get(f"{self.url}/readyz")).is_success
        except httpx.HTTPError:
            return False

    async def aclose(self) -> None:
        """Close its connection."""
        if self._client is not None:
            await self._client.aclose()

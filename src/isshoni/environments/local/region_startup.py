"""Why a region that starts as a standby is not ready yet."""

from isshoni.environments.region_api import ask_region
from isshoni.environments.region_redis import RegionRedis
from isshoni.rollout.errors import EnvironmentFault


async def find_link_trouble(redis_url: str) -> str | None:
    """Return why a replica does not have all data yet; None if it has."""
    redis = RegionRedis(redis_url)
    try:
        seen = await redis.read()
    except EnvironmentFault as fault:
        return str(fault)
    finally:
        await redis.aclose()
    if seen.role == "slave" and seen.link == "up":
        return None
    return "it copies the data of the other region" if seen.role == "slave" else "it leads"


async def find_standby_trouble(admin_port: int, token: str) -> str | None:
    """Return why a process is not ready as a standby; None if it is."""
    try:
        seen = await ask_region(f"http://127.0.0.1:{admin_port}", token, "")
    except EnvironmentFault as fault:
        return str(fault)
    if seen.standby_ready or seen.ready:
        return None
    return seen.reason or "it is not ready as a standby"

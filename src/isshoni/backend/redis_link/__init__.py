"""The hot path to Redis: one multiplexed connection for commands, one for pub/sub."""

from isshoni.backend.redis_link.address import RedisAddress, parse_redis_url
from isshoni.backend.redis_link.errors import ErrorReply, InvalidRedisUrl
from isshoni.backend.redis_link.link import RedisLink
from isshoni.backend.redis_link.meter import RedisMeter
from isshoni.backend.redis_link.script import Script
from isshoni.backend.redis_link.settings import LinkSettings
from isshoni.backend.redis_link.subscription import RedisSubscription

__all__ = [
    "ErrorReply",
    "InvalidRedisUrl",
    "LinkSettings",
    "RedisAddress",
    "RedisLink",
    "RedisMeter",
    "RedisSubscription",
    "Script",
    "parse_redis_url",
]

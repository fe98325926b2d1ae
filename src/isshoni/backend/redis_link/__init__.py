"""The hot path to Redis: to each server one multiplexed connection, and one for pub/sub."""

from isshoni.backend.redis_link.cluster import ClusterWatch
from isshoni.backend.redis_link.durability import Durability
from isshoni.backend.redis_link.errors import ErrorReply, InvalidRedisUrl
from isshoni.backend.redis_link.link import RedisLink
from isshoni.backend.redis_link.meter import RedisMeter
from isshoni.backend.redis_link.nodes import RedisNodes
from isshoni.backend.redis_link.script import Script
from isshoni.backend.redis_link.settings import LinkSettings
from isshoni.backend.redis_link.subscription import RedisSubscription
from isshoni.backend.redis_link.url import Deployment, parse_redis_url

__all__ = [
    "ClusterWatch",
    "Deployment",
    "Durability",
    "ErrorReply",
    "InvalidRedisUrl",
    "LinkSettings",
    "RedisLink",
    "RedisMeter",
    "RedisNodes",
    "RedisSubscription",
    "Script",
    "parse_redis_url",
]

"""The hot path to Redis: to each server one multiplexed connection, and one for pub/sub."""

from isshoni.backend.store.redis.link.cluster import ClusterWatch
from isshoni.backend.store.redis.link.durability import Durability
from isshoni.backend.store.redis.link.errors import ErrorReply, InvalidRedisUrl, NotWriter
from isshoni.backend.store.redis.link.link import RedisLink
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.nodes import RedisNodes
from isshoni.backend.store.redis.link.script import Script
from isshoni.backend.store.redis.link.settings import LinkSettings
from isshoni.backend.store.redis.link.subscription import RedisSubscription
from isshoni.backend.store.redis.link.url import Deployment, parse_redis_url
from isshoni.backend.store.redis.link.write_gate import WriteGate

__all__ = [
    "ClusterWatch",
    "Deployment",
    "Durability",
    "ErrorReply",
    "InvalidRedisUrl",
    "LinkSettings",
    "NotWriter",
    "RedisLink",
    "RedisMeter",
    "RedisNodes",
    "RedisSubscription",
    "Script",
    "WriteGate",
    "parse_redis_url",
]

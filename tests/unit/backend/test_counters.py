"""The counters that a deploy is judged by."""

from isshoni.backend.errors import SessionDeleted, SessionsFull, StoreUnavailable
from isshoni.backend.metrics.counters import Counters


def test_a_refused_session_is_no_error_of_redis() -> None:
    counters = Counters()
    for refusal in (SessionDeleted("s"), SessionsFull(10)):
        counters.count_redis_error(refusal)
    assert counters.redis_errors == 0
    counters.count_redis_error(StoreUnavailable("Redis is gone"))
    assert counters.redis_errors == 1

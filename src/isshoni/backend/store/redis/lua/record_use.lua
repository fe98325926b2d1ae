-- Record that the session is in use now: what counts for its expiry. Returns 1, or 0 without a session.

if redis.call('HEXISTS', META, 'epoch') == 0 then
  return 0
end
redis.call('HSET', META, 'used_ms', decimal(now_ms()))
return 1

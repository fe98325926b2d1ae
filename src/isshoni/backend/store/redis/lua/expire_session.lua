-- Delete the session if it was not used for long. KEYS[8] its files; ARGV[3] how long, in ms, [4] since
-- when use has been recorded without a break, [5] the sweep's present, [6] for how long it may not come back.
-- Returns 'expired', 'kept', 'open' (a process is subscribed to it) or 'gone'.

local FILES, limit_ms, watched_since = KEYS[OWN_KEY], tonumber(ARGV[3]), tonumber(ARGV[4])
local DAY_MS = 86400000

local meta = redis.call('HMGET', META, 'epoch', 'used_ms', 'created_ms')
if not meta[1] then
  return 'gone'
end
local now = now_ms()
if math.abs(now - tonumber(ARGV[5])) > DAY_MS then
  return 'kept' -- this server's clock is wrong, or that of the sweep
end
-- Every process subscribes to the open channel of a session that it has loaded, of any version.
if redis.call('PUBSUB', 'SHARDNUMSUB', OPEN_CHANNEL)[2] > 0 then
  redis.call('HSET', META, 'used_ms', decimal(now))
  return 'open'
end
local used = math.max(watched_since, tonumber(meta[2]) or 0, tonumber(meta[3]) or 0)
if now - used < limit_ms then
  return 'kept'
end
delete_all(FILES, ARGV[6])
redis.call('HSET', META, 'expired', 1)
return 'expired'

-- Begin a sweep of all sessions. KEYS[1] the sweeps' hash; ARGV[1] how long use may go unwatched, in ms,
-- [2] 1 if this process records use, else 0.
-- Returns {since when use has been recorded without a break, the time, the counted sessions}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('HMGET', KEYS[1], 'watched_since_ms', 'last_ms', 'sessions')
local since, last = tonumber(seen[1]), tonumber(seen[2])

-- Nothing may have recorded what was used: an earlier version served, or the clock was set.
if not (since and last) or math.abs(now - last) > tonumber(ARGV[1]) then
  since = now
end
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'watched_since_ms', string.format('%.0f', since),
    'last_ms', string.format('%.0f', now))
end
return {string.format('%.0f', since), string.format('%.0f', now), seen[3] or '0'}

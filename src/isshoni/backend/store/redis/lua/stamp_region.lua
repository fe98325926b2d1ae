-- Count that one more process has no write in flight under a term. KEYS[1] the record; ARGV[1] its channel, [2] term.
-- Returns the stamp, or 0 when the record has another term.

if redis.call('HGET', KEYS[1], 'term') ~= ARGV[2] then
  return 0
end
local stamp = redis.call('HINCRBY', KEYS[1], 'stamp', 1)
redis.call('SPUBLISH', ARGV[1], ARGV[2])
return stamp

-- Write the heartbeat of a region that serves. KEYS[1] the record; ARGV[1] writer, [2] the time in ms.
-- Returns 1, or 0 when there is no record, or of another writer.

if redis.call('HGET', KEYS[1], 'writer') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'beat_ms', ARGV[2])
return 1

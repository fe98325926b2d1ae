-- Put other bytes in the place of a file. KEYS[8] the session's files; ARGV[3] file_id, [4] content.
-- Returns 1, or 0 when it is gone: it is not brought back.

if redis.call('HEXISTS', KEYS[OWN_KEY], ARGV[3]) == 0 then
  return 0
end
redis.call('HSET', KEYS[OWN_KEY], ARGV[3], ARGV[4])
return 1

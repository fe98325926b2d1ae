-- Keep a file with the session. KEYS[8] its files; ARGV[3] file_id, [4] content, [5] room_bytes.
-- Returns 'kept', 'present' (the one that is there stays), 'full' or 'no_session'.

local FILES, file_id, content, room_bytes = KEYS[OWN_KEY], ARGV[3], ARGV[4], tonumber(ARGV[5])

-- Many tiny files cost more than their bytes.
local LEAST_BYTES = 1024

check_not_deleted()
if redis.call('HEXISTS', META, 'epoch') == 0 then
  return 'no_session'
end
if redis.call('HEXISTS', FILES, file_id) == 1 then
  -- Rewrite any field: only then does the WAIT after this script cover the file itself.
  redis.call('HSET', FILES, '', redis.call('HGET', FILES, '') or 0)
  return 'present'
end
local all_bytes = (tonumber(redis.call('HGET', FILES, '')) or 0) + math.max(#content, LEAST_BYTES)
if all_bytes > room_bytes then
  return 'full'
end
redis.call('HSET', FILES, file_id, content, '', decimal(all_bytes))
return 'kept'

-- Put a snapshot in the place of all updates up to a seq.
-- ARGV[3] epoch that the snapshot was made under, [4] upto, [5] snapshot.
-- Returns 1, or 0 when it is of another log or no newer than the one that is there.

local epoch, upto, snapshot = ARGV[3], tonumber(ARGV[4]), ARGV[5]

local meta = redis.call('HMGET', META, 'epoch', 'canvas_seq')
local present = tonumber(redis.call('HGET', CANVAS_SNAPSHOT, 'upto') or 0)
if meta[1] ~= epoch or upto > tonumber(meta[2]) or upto <= present then
  return 0
end

redis.call('HSET', CANVAS_SNAPSHOT, 'upto', decimal(upto), 'state', snapshot)
redis.call('XTRIM', CANVAS_LOG, 'MINID', decimal(upto + 1) .. '-0')
return 1

-- Put a snapshot in the place of all updates up to a seq.
-- ARGV[3] epoch that the snapshot was made under, [4] upto, [5] snapshot, [6] SHA-1 of the last
-- update in it; '' where that was in a snapshot already.
-- Returns 1, or 0 when it is of another log or no newer than the one that is there.

local epoch, upto, snapshot, digest = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]

local meta = redis.call('HMGET', META, 'epoch', 'canvas_seq')
local present = tonumber(redis.call('HGET', CANVAS_SNAPSHOT, 'upto') or 0)
if meta[1] ~= epoch or upto > tonumber(meta[2]) or upto <= present then
  return 0
end
-- After a failover others may have written to the places of what it was made of.
local last = redis.call('XRANGE', CANVAS_LOG, decimal(upto) .. '-0', decimal(upto) .. '-0')[1]
if digest ~= '' and (not last or redis.sha1hex(last[2][2]) ~= digest) then
  return 0
end

redis.call('HSET', CANVAS_SNAPSHOT, 'upto', decimal(upto), 'state', snapshot)
redis.call('XTRIM', CANVAS_LOG, 'MINID', decimal(upto + 1) .. '-0')
return 1

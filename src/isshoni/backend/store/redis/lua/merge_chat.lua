-- Append chat messages that a log lost, at new seqs, because their own seqs are taken.
-- ARGV[3] epoch and [4] seq at which the log must end, [5] '1' to begin a new epoch first, then for
-- each message: client_id, n, envelope.
-- Returns the new last seq, or nothing if the log has another epoch or has grown: the caller then
-- reads the log again, so that two processes never put back the same message.

local meta = redis.call('HMGET', META, 'epoch', 'chat_seq')
if meta[1] ~= ARGV[3] or meta[2] ~= ARGV[4] then
  return false
end

if ARGV[5] == '1' then
  redis.call('HSET', META, 'epoch', NEW_EPOCH)
  publish('e', 0, NEW_EPOCH)
end
local seq = tonumber(meta[2])
for at = 6, #ARGV, 3 do
  seq = seq + 1
  put_back(seq, ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2])
end
return seq

-- Append chat messages that a log lost and that can no longer have their own seqs.
-- ARGV[3] epoch and [4] seq at which the log must end, [5] '1' to begin a new epoch first, then for
-- each message: client_id, n, envelope.
-- Returns the seq at which the log then ends, or nothing when it is another or has grown: the caller
-- looks again at what it holds, so that no message is put back by two.

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

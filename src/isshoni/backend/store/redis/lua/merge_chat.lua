-- Append chat messages that a log lost, at new seqs, because their own seqs are taken.
-- ARGV[3] epoch and [4] seq at which the log must end, [5] '1' to begin a new epoch first, then for
-- each message: client_id, n, envelope.
-- Returns the new last seq, or nothing if the log has another epoch or another end: the caller then
-- reads the log again, so that two processes never put back the same message.

local meta = redis.call('HMGET', META, 'epoch', 'chat_seq')
if meta[1] ~= ARGV[3] or meta[2] ~= ARGV[4] or last_seq(CHAT_LOG) > tonumber(meta[2]) then
  return false
end

if ARGV[5] == '1' then
  redis.call('HSET', META, 'epoch', NEW_EPOCH)
end
local seq = tonumber(meta[2])
for at = 6, #ARGV, 3 do
  seq = seq + 1
  put_back(seq, ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2])
end
-- Last: who hears of an epoch, or of an entry, finds all of the others in the log.
if ARGV[5] == '1' then
  publish('e', 0, NEW_EPOCH)
end
for at = 6, #ARGV, 3 do
  publish('c', meta[2] + (at - 3) / 3, ARGV[at + 2])
end
return seq

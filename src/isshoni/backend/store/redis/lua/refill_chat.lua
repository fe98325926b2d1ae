-- Put back chat messages that the log lost, each at its own seq and in order.
-- ARGV[3] epoch, [4] SHA-1 of the entry before the first message, '' to compare nothing,
-- [5] '1' if the log must end there; then for each message: seq, client_id, n, envelope.
-- Returns the seq at which the log then ends, or nothing when it is of another epoch.
-- What is there already, or does not continue the log, is left out: any number of
-- processes may refill at once. Nothing is written after an entry that differs.

if redis.call('HGET', META, 'epoch') ~= ARGV[3] then
  return false
end

local seq = tonumber(redis.call('HGET', META, 'chat_seq'))
if last_seq(CHAT_LOG) > seq then
  return seq  -- mend_chat.lua first: the next seqs are taken
end
if ARGV[5] == '1' and (seq + 1 ~= tonumber(ARGV[6]) or differs(CHAT_LOG, seq, ARGV[4])) then
  return seq
end
local written = {}
for at = 6, #ARGV, 4 do
  if tonumber(ARGV[at]) == seq + 1 then
    seq = seq + 1
    put_back(seq, ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3])
    written[#written + 1] = at
  end
end
for _, at in ipairs(written) do
  publish('c', tonumber(ARGV[at]), ARGV[at + 3])
end
return seq

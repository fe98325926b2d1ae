-- Put back chat messages that the log lost, each at its own seq and in order.
-- ARGV[3] epoch, then for each message: seq, client_id, n, envelope.
-- Returns the seq at which the log then ends, or nothing when it is of another epoch.
-- What is there already, or does not continue the log, is left out: any number of
-- processes may refill at once.

if redis.call('HGET', META, 'epoch') ~= ARGV[3] then
  return false
end

local seq = tonumber(redis.call('HGET', META, 'chat_seq'))
for at = 4, #ARGV, 4 do
  if tonumber(ARGV[at]) == seq + 1 then
    local client_id, n, envelope = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
    seq = seq + 1
    redis.call('XADD', CHAT_LOG, decimal(seq) .. '-0', 'e', envelope)
    redis.call('HSET', META, 'chat_seq', decimal(seq))
    redis.call('ZADD', CHAT_SEEN, decimal(seq), client_id)
    if n > tonumber(redis.call('HGET', CHAT_CLIENTS, client_id) or 0) then
      redis.call('HSET', CHAT_CLIENTS, client_id, decimal(n))
    end
    publish('c', seq, envelope)
  end
end
return seq

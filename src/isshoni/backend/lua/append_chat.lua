-- Append a chat message, number it and publish it, unless (client_id, n) says otherwise.
-- ARGV[3] client_id, [4] n, [5] envelope, [6] about how many messages the log keeps.
-- The last two: epoch and seq that the log is known to have had; '' and 0 for none.
-- Returns {'appended', seq}, {'duplicate', the client's last n}, {'gap', expected n} or
-- {'behind', 0}.

local client_id, n, envelope, retention = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]

-- Before all else: a log that lost its end cannot say what skips or repeats.
if ARGV[#ARGV - 1] ~= '' and lacks(ARGV[#ARGV - 1], tonumber(ARGV[#ARGV])) then
  return {'behind', 0}
end

local last_n = tonumber(redis.call('HGET', CHAT_CLIENTS, client_id))
if last_n and n <= last_n then
  return {'duplicate', last_n}
end
if last_n and n > last_n + 1 then
  return {'gap', last_n + 1}
end

local seq = next_seq('chat_seq')
-- First, for it is the one that can refuse: then nothing else has been written.
redis.call('XADD', CHAT_LOG, 'MAXLEN', '~', retention, decimal(seq) .. '-0', 'e', envelope)
redis.call('HSET', META, 'chat_seq', decimal(seq))
redis.call('HSET', CHAT_CLIENTS, client_id, decimal(n))
publish('c', seq, envelope)
return {'appended', seq}

-- Append a chat message, number it and publish it, unless (client_id, n) says otherwise.
-- ARGV[3] client_id, [4] n, [5] envelope, [6] window_ms, [7] retention, [8] ceiling.
-- Returns {'appended', seq}, {'duplicate', the client's last n} or {'gap', expected n}.

local client_id, n, envelope = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local window_ms, retention, ceiling = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local TRIM_EVERY = 16
local TRIM_AT_ONCE = 2 * TRIM_EVERY

-- Give the server's time when an entry was appended; nil when there is no such entry.
local function appended_ms(seq)
  local id = decimal(seq) .. '-0'
  local entry = redis.call('XRANGE', CHAT_LOG, id, id)[1]
  return entry and tonumber(entry[2][4] or 0)
end

-- Drop the oldest entries: what is neither among the last `retention` nor younger than the
-- window, and, whatever its age, what is beyond the ceiling.
local function trim_log(seq, now)
  local length = redis.call('XLEN', CHAT_LOG)
  local excess = math.min(length - retention, TRIM_AT_ONCE)
  if excess < 1 then
    return
  end
  local last_to_drop = seq - length + excess
  local at = appended_ms(last_to_drop)
  if length > ceiling or (at and at < now - window_ms) then
    redis.call('XTRIM', CHAT_LOG, 'MINID', decimal(last_to_drop + 1) .. '-0')
  end
end

-- Forget clients that wrote nothing for longer than the window, and of whom nothing is left
-- in the log: so what is in the log is never taken in a second time.
local function forget_clients(now)
  local oldest = redis.call('XRANGE', CHAT_LOG, '-', '+', 'COUNT', 1)[1]
  local before = math.min(now - window_ms, tonumber(oldest[2][4] or 0))
  local gone = redis.call('ZRANGEBYSCORE', CHAT_SEEN, '-inf', '(' .. decimal(before),
    'LIMIT', 0, TRIM_AT_ONCE)
  if #gone > 0 then
    redis.call('HDEL', CHAT_CLIENTS, unpack(gone))
    redis.call('ZREM', CHAT_SEEN, unpack(gone))
  end
end

local last_n = tonumber(redis.call('HGET', CHAT_CLIENTS, client_id))
if last_n and n <= last_n then
  -- Written again: a WAIT behind this resend then covers the message itself.
  redis.call('HSET', CHAT_CLIENTS, client_id, decimal(last_n))
  return {'duplicate', last_n}
end
if last_n and n > last_n + 1 then
  return {'gap', last_n + 1}
end

local seq = next_seq('chat_seq')
-- Never back, though the clock may go there: ages must grow along the log.
local now = math.max(now_ms(), tonumber(redis.call('HGET', META, 'chat_ms') or 0))
-- First, for it is the one that can refuse: then nothing else has been written.
redis.call('XADD', CHAT_LOG, decimal(seq) .. '-0', 'e', envelope, 't', decimal(now))
redis.call('HSET', META, 'chat_seq', decimal(seq), 'chat_ms', decimal(now))
redis.call('HSET', CHAT_CLIENTS, client_id, decimal(n))
redis.call('ZADD', CHAT_SEEN, decimal(now), client_id)
if seq % TRIM_EVERY == 0 then
  trim_log(seq, now)
  forget_clients(now)
end
publish('c', seq, envelope)
return {'appended', seq}

-- Append a chat message, number it and publish it, unless (client_id, n) says otherwise.
-- ARGV[3] client_id, [4] n, [5] envelope, [6] window_ms, [7] retention, [8] ceiling,
-- [9] epoch, [10] seq and [11] SHA-1 of the last entry that the log is known to have had;
-- '', 0 and '' if none is known.
-- The last of ARGV is the client's greatest n that is known to have been acknowledged; 0 for none.
-- Returns {'appended', seq}, {'duplicate', the client's last n}, {'gap', expected n} or
-- {'behind', 0}.

local client_id, n, envelope = ARGV[3], tonumber(ARGV[4]), ARGV[5]

local TIDY_EVERY = 16
local TIDY_AT_ONCE = 2 * TIDY_EVERY
local MARKS_A_WINDOW = 64

-- Note the time now and then, and give the greatest seq that is older than the window.
local function mark_time(seq, window_ms)
  local now = now_ms()
  -- Of a future that was none: the clock was set back, or another server's is behind.
  redis.call('ZREMRANGEBYSCORE', CHAT_MARKS, '(' .. decimal(now), '(' .. decimal(BEYOND))
  local last = redis.call('ZREVRANGEBYSCORE', CHAT_MARKS, decimal(now), '-inf',
    'WITHSCORES', 'LIMIT', 0, 1)
  if not last[2] or now >= last[2] + window_ms / MARKS_A_WINDOW then
    redis.call('ZADD', CHAT_MARKS, decimal(now), decimal(seq))
  end
  local aged = redis.call('ZREVRANGEBYSCORE', CHAT_MARKS, '(' .. decimal(now - window_ms), '-inf',
    'WITHSCORES', 'LIMIT', 0, 1)
  if not aged[1] then
    return 0
  end
  redis.call('ZREMRANGEBYSCORE', CHAT_MARKS, '-inf', '(' .. aged[2])
  return tonumber(aged[1])
end

-- Drop the oldest entries: what is older than the window and not among the last `retention`,
-- and, whatever its age, what is beyond the ceiling. Gives the oldest seq that is left.
local function trim_log(seq, aged_seq, retention, ceiling)
  local oldest = seq - redis.call('XLEN', CHAT_LOG) + 1
  local keep_from = math.max(math.min(aged_seq, seq - retention), seq - ceiling) + 1
  keep_from = math.min(keep_from, oldest + TIDY_AT_ONCE)
  if keep_from > oldest then
    redis.call('XTRIM', CHAT_LOG, 'MINID', decimal(keep_from) .. '-0')
    oldest = keep_from
  end
  return oldest
end

-- Forget clients that wrote nothing for longer than the window, and of whom nothing is left
-- in the log: so what is in the log is never taken in a second time.
local function forget_clients(before_seq)
  local gone = redis.call('ZRANGEBYSCORE', CHAT_SEEN, '-inf', '(' .. decimal(before_seq),
    'LIMIT', 0, TIDY_AT_ONCE)
  if #gone > 0 then
    redis.call('HDEL', CHAT_CLIENTS, unpack(gone))
    redis.call('ZREM', CHAT_SEEN, unpack(gone))
  end
end

local function tidy(seq)
  local window_ms, retention, ceiling = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  local aged_seq = mark_time(seq, window_ms)
  local oldest = trim_log(seq, aged_seq, retention, ceiling)
  forget_clients(math.min(oldest, aged_seq + 1))
end

-- Before all else: a log that lost its end cannot say what skips or repeats.
if ARGV[9] ~= '' and lacks('chat_seq', CHAT_LOG, ARGV[9], tonumber(ARGV[10]), ARGV[11]) then
  return {'behind', 0}
end

local last_n = tonumber(redis.call('HGET', CHAT_CLIENTS, client_id))
local acknowledged = tonumber(ARGV[#ARGV])
if not last_n and acknowledged > 0 then
  -- The log forgot a connected client: it must go on after its last acknowledged message.
  if n <= acknowledged then
    return {'duplicate', acknowledged}
  end
  last_n = acknowledged
end
if last_n and n <= last_n then
  -- Written again: a WAIT behind this resend then covers the message itself.
  redis.call('HSET', CHAT_CLIENTS, client_id, decimal(last_n))
  return {'duplicate', last_n}
end
if last_n and n > last_n + 1 then
  return {'gap', last_n + 1}
end

local seq = next_seq('chat_seq')
local number = decimal(seq)
-- First, for it is the one that can refuse: then nothing else has been written.
redis.call('XADD', CHAT_LOG, number .. '-0', 'e', envelope)
redis.call('HSET', META, 'chat_seq', number)
redis.call('HSET', CHAT_CLIENTS, client_id, ARGV[4])
redis.call('ZADD', CHAT_SEEN, number, client_id)
if seq % TIDY_EVERY == 0 then
  tidy(seq)
end
publish('c', seq, envelope)
return {'appended', seq}

-- Append chat messages in their order, number and publish each, unless (client_id, n) says otherwise.
-- ARGV[3] window_ms, [4] retention, [5] ceiling, [6] epoch, [7] seq and [8] SHA-1 of the last entry
-- that the log is known to have had; '', 0 and '' if none is known.
-- Then, for each message: client_id, n, envelope, and the client's greatest n that is known to have
-- been acknowledged; 0 for none.
-- Returns for each message two numbers: APPENDED and its seq, DUPLICATE and the client's last n,
-- GAP and the expected n, or BEHIND and 0; that too if `chat_seq` is behind the log (mend_chat.lua).

local FIRST, FIELDS = 9, 4
local APPENDED, DUPLICATE, GAP, BEHIND = 0, 1, 2, 3

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
local function trim_log(seq, aged_seq, retention, ceiling, at_once)
  local oldest = seq - redis.call('XLEN', CHAT_LOG) + 1
  local keep_from = math.max(math.min(aged_seq, seq - retention), seq - ceiling) + 1
  keep_from = math.min(keep_from, oldest + at_once)
  if keep_from > oldest then
    redis.call('XTRIM', CHAT_LOG, 'MINID', decimal(keep_from) .. '-0')
    oldest = keep_from
  end
  return oldest
end

-- Forget clients that wrote nothing for longer than the window, and of whom nothing is left
-- in the log: so what is in the log is never taken in a second time.
local function forget_clients(before_seq, at_once)
  local gone = redis.call('ZRANGEBYSCORE', CHAT_SEEN, '-inf', '(' .. decimal(before_seq),
    'LIMIT', 0, at_once)
  if #gone > 0 then
    redis.call('HDEL', CHAT_CLIENTS, unpack(gone))
    redis.call('ZREM', CHAT_SEEN, unpack(gone))
  end
end

-- `turns`: how many multiples of TIDY_EVERY the log has passed in this call.
local function tidy(seq, turns)
  local at_once = turns * TIDY_AT_ONCE
  local window_ms, retention, ceiling = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  local aged_seq = mark_time(seq, window_ms)
  local oldest = trim_log(seq, aged_seq, retention, ceiling, at_once)
  forget_clients(math.min(oldest, aged_seq + 1), at_once)
end

local results = {}

local function answer(verdict, number)
  results[#results + 1] = verdict
  results[#results + 1] = number
end

-- Before all else: a log that lost its end cannot say what skips or repeats.
if ARGV[6] ~= '' and lacks('chat_seq', CHAT_LOG, ARGV[6], tonumber(ARGV[7]), ARGV[8]) then
  for _ = FIRST, #ARGV, FIELDS do
    answer(BEHIND, 0)
  end
  return results
end

-- The log's last seq, and what it was before this call; nil before the first append.
local last_seq_here, seq_before
-- The last n of each client, as far as this call has read or written it.
local last_ns = {}
-- Of the clients that this call has appended messages of: the last n and its seq, as text.
local written_ns, written_seqs = {}, {}
-- What this call has appended: number and envelope, by turns.
local appended = {}

local function last_n_of(client_id, acknowledged)
  local last_n = last_ns[client_id] or tonumber(redis.call('HGET', CHAT_CLIENTS, client_id))
  if not last_n and acknowledged > 0 then
    -- The log forgot a connected client: it must go on after its last acknowledged message.
    return acknowledged, true
  end
  return last_n, false
end

-- Write what each append changes in the other keys, once for all of them, for it costs as much as the
-- appends do; then publish them. A publication can be refused (by the rights of the user): the log
-- must not be longer than `chat_seq` says by then.
local function finish()
  if not last_seq_here or last_seq_here == seq_before then
    return
  end
  redis.call('HSET', META, 'chat_seq', decimal(last_seq_here))
  local ns, seen = {}, {}
  for client_id, n in pairs(written_ns) do
    ns[#ns + 1], ns[#ns + 2] = client_id, n
    seen[#seen + 1], seen[#seen + 2] = written_seqs[client_id], client_id
  end
  redis.call('HSET', CHAT_CLIENTS, unpack(ns))
  redis.call('ZADD', CHAT_SEEN, unpack(seen))
  for at = 1, #appended, 2 do
    publish_numbered('c', appended[at], appended[at + 1])
  end
end

local function append(client_id, n, n_text, envelope, acknowledged)
  local last_n, is_forgotten = last_n_of(client_id, acknowledged)
  if last_n and n <= last_n then
    if not is_forgotten and not written_ns[client_id] then
      -- Written again: a WAIT behind this resend then covers the message itself.
      redis.call('HSET', CHAT_CLIENTS, client_id, decimal(last_n))
    end
    return answer(DUPLICATE, last_n)
  end
  if last_n and n > last_n + 1 then
    return answer(GAP, last_n + 1)
  end
  if not last_seq_here then
    seq_before = next_seq('chat_seq') - 1
    last_seq_here = seq_before
  end
  local seq = last_seq_here + 1
  local number = decimal(seq)
  -- First, for it is the one that can refuse: then nothing of this message has been written.
  local added = redis.pcall('XADD', CHAT_LOG, number .. '-0', 'e', envelope)
  if added.err then
    finish()  -- the messages before this one
    if last_seq(CHAT_LOG) >= seq then
      return answer(BEHIND, 0)
    end
    error(added)
  end
  last_seq_here, last_ns[client_id] = seq, n
  written_ns[client_id], written_seqs[client_id] = n_text, number
  appended[#appended + 1], appended[#appended + 2] = number, envelope
  return answer(APPENDED, seq)
end

for at = FIRST, #ARGV, FIELDS do
  append(ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]))
end
finish()
if last_seq_here then
  local turns = math.floor(last_seq_here / TIDY_EVERY) - math.floor(seq_before / TIDY_EVERY)
  if turns > 0 then
    tidy(last_seq_here, turns)
  end
end
return results

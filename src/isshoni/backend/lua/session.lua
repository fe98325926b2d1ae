-- What every script starts with. It is put before the script's own lines.
--
-- KEYS     all keys of one session; ARGV[1] its channel, ARGV[2] an epoch that no log
--          has had yet, ARGV[3...] the script's own.

local META, CHAT_LOG, CHAT_CLIENTS, CANVAS_LOG, CANVAS_SNAPSHOT = unpack(KEYS)
local CHANNEL, NEW_EPOCH = ARGV[1], ARGV[2]

-- Lua's own tostring says 1e+14 from there on.
local function decimal(number)
  return string.format('%.0f', number)
end

local function last_seq(log)
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^(%d+)-')) or 0
end

local function publish(kind, seq, payload)
  redis.call('SPUBLISH', CHANNEL, kind .. decimal(seq) .. ':' .. payload)
end

-- Bring the session into being.
--
-- Redis may have lost all of a session, or its meta alone (eviction): the numbers go on
-- after whatever is still there, but under a new epoch, so that no position of before can
-- be taken for one of now. The birth is published: whoever holds the old epoch hears it.
local function create_session()
  local chat_seq = last_seq(CHAT_LOG)
  local upto = tonumber(redis.call('HGET', CANVAS_SNAPSHOT, 'upto') or 0)
  local canvas_seq = math.max(last_seq(CANVAS_LOG), upto)
  local time = redis.call('TIME')
  redis.call('HSET', META, 'v', 1, 'epoch', NEW_EPOCH,
    'chat_seq', decimal(chat_seq), 'canvas_seq', decimal(canvas_seq),
    'created_ms', decimal(time[1] * 1000 + math.floor(time[2] / 1000)))
  publish('e', 0, NEW_EPOCH)
end

-- Give the next seq of the log that `field` counts; the session is there after this.
local function next_seq(field)
  local seq = redis.call('HGET', META, field)
  if not seq then
    create_session()
    seq = redis.call('HGET', META, field)
  end
  return seq + 1
end

-- Say whether the chat log is not of that epoch, or ends before that seq.
local function lacks(epoch, seq)
  local meta = redis.call('HMGET', META, 'epoch', 'chat_seq')
  return meta[1] ~= epoch or tonumber(meta[2]) < seq
end

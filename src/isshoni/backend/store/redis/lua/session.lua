-- What every script starts with. It is put before the script's own lines.
--
-- KEYS     the keys of one session's logs, then the script's own; ARGV[1] its channel, ARGV[2] an epoch that no log
--          has had yet, ARGV[3...] the script's own.

local META, CHAT_LOG, CHAT_CLIENTS, CHAT_SEEN, CHAT_MARKS = unpack(KEYS, 1, 5)
local CANVAS_LOG, CANVAS_SNAPSHOT = unpack(KEYS, 6)
local OWN_KEY = 8
local CHANNEL, NEW_EPOCH = ARGV[1], ARGV[2]

-- After every time and every seq: what is placed there stands for nothing.
local BEYOND = 2 ^ 53

-- Lua's own tostring says 1e+14 from there on.
local function decimal(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function last_seq(log)
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^(%d+)-')) or 0
end

-- The channel without the keyed hash at its end. Version 0.2.0 has no other; this version takes
-- what is published there for a hint that the log has grown.
local OPEN_CHANNEL = string.match(CHANNEL, '^(.*):')

-- True if the open channel has subscribers that are not subscribed to the keyed one.
--
-- This version subscribes to both, the open one first, so there are others if it has more.
-- Asked once: while a script runs, no client subscribes.
local other_subscribers
local function has_other_subscribers()
  if other_subscribers == nil then
    local counts = redis.pcall('PUBSUB', 'SHARDNUMSUB', OPEN_CHANNEL, CHANNEL)
    other_subscribers = counts.err ~= nil or counts[2] > counts[4]
  end
  return other_subscribers
end

local function publish_numbered(kind, number, payload)
  local message = kind .. number .. ':' .. payload
  redis.call('SPUBLISH', CHANNEL, message)
  if has_other_subscribers() then
    redis.call('SPUBLISH', OPEN_CHANNEL, message)
  end
end

local function publish(kind, seq, payload)
  publish_numbered(kind, decimal(seq), payload)
end

-- Make every key that is not there, with nothing in it.
--
-- While its slot moves to another node of a cluster, a script runs only if all of its keys
-- are on one side, and a key that does not exist is on neither. '' is no client's id.
local function create_keys()
  for _, log in ipairs({CHAT_LOG, CANVAS_LOG}) do
    if redis.call('EXISTS', log) == 0 then
      redis.call('XADD', log, 'MAXLEN', 0, '0-1', '', '')
    end
  end
  redis.call('HSETNX', CHAT_CLIENTS, '', 0)
  redis.call('ZADD', CHAT_SEEN, decimal(BEYOND), '')
  redis.call('ZADD', CHAT_MARKS, decimal(BEYOND), '')
  redis.call('HSETNX', CANVAS_SNAPSHOT, 'upto', 0)
end

-- Delete every key of the session, and leave a mark for `mark_ms` that holds nothing of it.
local function delete_all(files, mark_ms)
  redis.call('DEL', META, CHAT_LOG, CHAT_CLIENTS, CHAT_SEEN, CHAT_MARKS, CANVAS_LOG,
    CANVAS_SNAPSHOT, files)
  redis.call('HSET', META, 'deleted_ms', decimal(now_ms()))
  redis.call('PEXPIRE', META, mark_ms)
  publish('d', 0, '')
end

-- Refuse what would bring a deleted session back. Old tabs and other processes hold copies of
-- it, and would, in good faith.
local function check_not_deleted()
  if redis.call('HEXISTS', META, 'deleted_ms') == 1 then
    error({err = 'DELETED the session was deleted'})
  end
end

-- Create the session.
--
-- Redis may have lost all of a session, or its meta alone (eviction): the numbers continue
-- after the entries that are still stored, but under a new epoch, so that an earlier position
-- is not mistaken for a present one. The new epoch is published to the processes that know the
-- old one.
local function create_session()
  check_not_deleted()
  local chat_seq = last_seq(CHAT_LOG)
  local upto = tonumber(redis.call('HGET', CANVAS_SNAPSHOT, 'upto') or 0)
  local canvas_seq = math.max(last_seq(CANVAS_LOG), upto)
  redis.call('HSET', META, 'v', 1, 'epoch', NEW_EPOCH,
    'chat_seq', decimal(chat_seq), 'canvas_seq', decimal(canvas_seq),
    'created_ms', decimal(now_ms()))
  create_keys()
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

-- True if the log's entry at that seq has another SHA-1; '' compares nothing.
--
-- Two primaries can give different entries the same seq: the length of a log proves nothing.
-- An entry that was trimmed, or is in the snapshot, cannot be compared.
local function differs(log, seq, digest)
  if digest == '' then
    return false
  end
  local id = decimal(seq) .. '-0'
  local entry = redis.call('XRANGE', log, id, id)[1]
  return entry ~= nil and redis.sha1hex(entry[2][2]) ~= digest
end

-- True if the log (`field` has its last seq) is of another epoch, is shorter, or differs there.
local function lacks(field, log, epoch, seq, digest)
  local meta = redis.call('HMGET', META, 'epoch', field)
  return meta[1] ~= epoch or tonumber(meta[2]) < seq or differs(log, seq, digest)
end

-- Record the author of an entry, so that it is not appended a second time.
local function record_author(seq, client_id, n)
  redis.call('ZADD', CHAT_SEEN, decimal(seq), client_id)
  if n > tonumber(redis.call('HGET', CHAT_CLIENTS, client_id) or 0) then
    redis.call('HSET', CHAT_CLIENTS, client_id, decimal(n))
  end
end

-- Append a chat message that the log lost, without checking the order of its author's n.
--
-- The caller publishes it once all are written: a publication can be refused (by the rights of the
-- user), and what comes after it would then not be written.
local function put_back(seq, client_id, n, envelope)
  redis.call('XADD', CHAT_LOG, decimal(seq) .. '-0', 'e', envelope)
  redis.call('HSET', META, 'chat_seq', decimal(seq))
  record_author(seq, client_id, n)
end

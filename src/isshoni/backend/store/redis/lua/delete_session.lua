-- Delete the session. KEYS[8] its files; ARGV[3] for how long it may not come back, in ms.
-- Returns 1, or 0 when nothing was there. What is left is a mark that holds nothing of it.

local FILES, mark_ms = KEYS[OWN_KEY], ARGV[3]

if redis.call('DEL', CHAT_LOG, CHAT_CLIENTS, CHAT_SEEN, CHAT_MARKS, CANVAS_LOG, CANVAS_SNAPSHOT,
    FILES) + redis.call('EXISTS', META) == 0 then
  return 0
end
redis.call('DEL', META)
redis.call('HSET', META, 'deleted_ms', decimal(now_ms()))
redis.call('PEXPIRE', META, mark_ms)
publish('d', 0, '')
return 1

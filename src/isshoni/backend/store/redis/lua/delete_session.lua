-- Delete the session. KEYS[8] its files; ARGV[3] for how long it may not come back, in ms.
-- Returns 2, 1 when it had been deleted before, or 0 when nothing was there.

local FILES, mark_ms = KEYS[OWN_KEY], ARGV[3]

local existed = redis.call('HEXISTS', META, 'epoch')
if redis.call('EXISTS', META, CHAT_LOG, CHAT_CLIENTS, CHAT_SEEN, CHAT_MARKS, CANVAS_LOG,
    CANVAS_SNAPSHOT, FILES) == 0 then
  return 0
end
delete_all(FILES, mark_ms)
return 1 + existed

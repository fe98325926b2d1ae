-- Set `chat_seq`, if it is behind the chat log, to the last of these entries, which are in the log.
-- ARGV[3] epoch, then for each entry after `chat_seq`, in order: seq, SHA-1, client_id ('' if it cannot
-- be read), n.
-- Returns 1, or 0 with nothing changed if the log is of another epoch, or its entries after `chat_seq`
-- are others.

local FIRST, FIELDS = 4, 4

if redis.call('HGET', META, 'epoch') ~= ARGV[3] then
  return 0
end

local seq = tonumber(redis.call('HGET', META, 'chat_seq'))
local count = (#ARGV - FIRST + 1) / FIELDS
local there = {}
if count > 0 then
  there = redis.call('XRANGE', CHAT_LOG, '(' .. decimal(seq) .. '-0', '+', 'COUNT', count)
end
if #there == 0 or #there ~= count then
  return 0
end
for i, entry in ipairs(there) do
  local at = FIRST + (i - 1) * FIELDS
  if entry[1] ~= ARGV[at] .. '-0' or redis.sha1hex(entry[2][2]) ~= ARGV[at + 1] then
    return 0
  end
end

for at = FIRST, #ARGV, FIELDS do
  seq = tonumber(ARGV[at])
  if ARGV[at + 2] ~= '' then
    record_author(seq, ARGV[at + 2], tonumber(ARGV[at + 3]))
  end
end
redis.call('HSET', META, 'chat_seq', decimal(seq))
for i, entry in ipairs(there) do
  publish('c', tonumber(ARGV[FIRST + (i - 1) * FIELDS]), entry[2][2])
end
return 1

-- Put other bytes in the place of every entry of the chat log, each at its own seq.
-- ARGV[3] seq of the last entry, then for each entry: seq, envelope.
-- Returns 1, or 0 when the log has grown since it was read: nothing is changed then.

-- Not `chat_seq`: it may be behind the log (mend_chat.lua).
if last_seq(CHAT_LOG) ~= tonumber(ARGV[3]) then
  return 0
end
redis.call('DEL', CHAT_LOG)
for at = 4, #ARGV, 2 do
  redis.call('XADD', CHAT_LOG, ARGV[at] .. '-0', 'e', ARGV[at + 1])
end
return 1

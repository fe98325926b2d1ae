-- Append a Yjs update, number it and publish it. Returns its seq, or 0 for a log that is behind.
-- ARGV[3] update, [4] a seq that must not be used again, and the last entry that the log is known
-- to have had: [5] epoch, [6] seq and [7] SHA-1; '', 0 and '' if none is known.

local update, taken = ARGV[3], tonumber(ARGV[4])

-- An update appended to a log that lost its end would hide the loss from the processes that
-- could restore it.
if ARGV[5] ~= '' and lacks('canvas_seq', CANVAS_LOG, ARGV[5], tonumber(ARGV[6]), ARGV[7]) then
  check_not_deleted()
  return 0
end

local seq = math.max(next_seq('canvas_seq'), taken + 1)
-- First, for it is the one that can refuse: then nothing else has been written.
redis.call('XADD', CANVAS_LOG, decimal(seq) .. '-0', 'u', update)
redis.call('HSET', META, 'canvas_seq', decimal(seq))
publish('y', seq, update)
return seq

-- Append a Yjs update, number it and publish it. Returns its seq.
-- ARGV[3] update, [4] seq that the log is known to have had: it is not given out again.

local update, known = ARGV[3], tonumber(ARGV[4])

local seq = math.max(next_seq('canvas_seq'), known + 1)
-- First, for it is the one that can refuse: then nothing else has been written.
redis.call('XADD', CANVAS_LOG, decimal(seq) .. '-0', 'u', update)
redis.call('HSET', META, 'canvas_seq', decimal(seq))
publish('y', seq, update)
return seq

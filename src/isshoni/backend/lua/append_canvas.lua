-- Append a Yjs update, number it and publish it. ARGV[3] update. Returns its seq.

local update = ARGV[3]

local seq = next_seq('canvas_seq')
-- First, for it is the one that can refuse: then nothing else has been written.
redis.call('XADD', CANVAS_LOG, decimal(seq) .. '-0', 'u', update)
redis.call('HSET', META, 'canvas_seq', decimal(seq))
publish('y', seq, update)
return seq

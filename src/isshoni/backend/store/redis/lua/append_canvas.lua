-- Append a Yjs update, number it and publish it. Returns its seq, or 0 for a log that is behind.
-- ARGV[3] update, [4] a seq that must not be used again, and the last entry that the log is known
-- to have had: [5] epoch, [6] seq and [7] SHA-1; '', 0 and '' if none is known.

local update, taken = ARGV[3], tonumber(ARGV[4])

local function lacks_known()
  return ARGV[5] ~= '' and lacks('canvas_seq', CANVAS_LOG, ARGV[5], tonumber(ARGV[6]), ARGV[7])
end

-- Set `canvas_seq`, if it is behind the canvas, to its end; true if it was behind. Looked for only
-- where something does not fit: each append would have to read the end of the log.
local function mend_counter()
  local upto = tonumber(redis.call('HGET', CANVAS_SNAPSHOT, 'upto') or 0)
  local last, seq = math.max(last_seq(CANVAS_LOG), upto), redis.call('HGET', META, 'canvas_seq')
  if not seq or tonumber(seq) >= last then
    return false
  end
  redis.call('HSET', META, 'canvas_seq', decimal(last))
  return true
end

-- An update appended to a log that lost its end would hide the loss from the processes that
-- could restore it.
if lacks_known() and not (mend_counter() and not lacks_known()) then
  check_not_deleted()
  return 0
end

local function add()
  local seq = math.max(next_seq('canvas_seq'), taken + 1)
  return seq, redis.pcall('XADD', CANVAS_LOG, decimal(seq) .. '-0', 'u', update)
end

-- First, for it is the one that can refuse: then nothing else has been written.
local seq, added = add()
if added.err and mend_counter() then
  seq, added = add()
end
if added.err then
  error(added)
end
redis.call('HSET', META, 'canvas_seq', decimal(seq))
publish('y', seq, update)
return seq

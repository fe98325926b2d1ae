-- Set the record of which region may write. KEYS[1] the record; ARGV[1] its channel, [2] term, [3] writer.
-- Returns {1 if the record is as asked for now, else 0, term, writer}. A term is given only once.

local held = redis.call('HMGET', KEYS[1], 'term', 'writer')
local term, writer = tonumber(held[1]) or 0, held[2] or ''
local wanted = tonumber(ARGV[2])

if wanted < term or (wanted == term and held[1] and writer ~= ARGV[3]) then
  return {0, string.format('%.0f', term), writer}
end
if wanted > term or not held[1] then
  redis.call('HSET', KEYS[1], 'term', ARGV[2], 'writer', ARGV[3], 'stamp', 0)
  redis.call('SPUBLISH', ARGV[1], ARGV[2])
end
return {1, ARGV[2], ARGV[3]}

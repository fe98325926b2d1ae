-- Begin a new epoch: what the log lost is nowhere to be had. ARGV[3] epoch until now.
-- The numbers go on after what is there. Returns 1, or 0 when the epoch is another already.

if redis.call('HGET', META, 'epoch') ~= ARGV[3] then
  return 0
end
redis.call('HSET', META, 'epoch', NEW_EPOCH)
publish('e', 0, NEW_EPOCH)
return 1

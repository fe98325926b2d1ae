-- Create the session unless another process just did.
-- Returns {epoch, chat_seq, canvas_seq, 1 if it was created here, else 0}.

local creates = redis.call('HEXISTS', META, 'epoch') == 0
if creates then
  create_session()
end
local head = redis.call('HMGET', META, 'epoch', 'chat_seq', 'canvas_seq')
head[4] = creates and 1 or 0
return head

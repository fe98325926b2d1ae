-- Create the session unless another process just did. Returns {epoch, chat_seq, canvas_seq}.

if redis.call('HEXISTS', META, 'epoch') == 0 then
  create_session()
end
return redis.call('HMGET', META, 'epoch', 'chat_seq', 'canvas_seq')

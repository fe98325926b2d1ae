-- Create the session if need be. Returns {epoch, chat_seq, canvas_seq}.

if redis.call('EXISTS', META) == 0 then
  create_session()
end
return redis.call('HMGET', META, 'epoch', 'chat_seq', 'canvas_seq')

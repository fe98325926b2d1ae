-- Create the session if need be. Returns {epoch, chat_seq, canvas_seq}.

ensure_session()
return redis.call('HMGET', META, 'epoch', 'chat_seq', 'canvas_seq')

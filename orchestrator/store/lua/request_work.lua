-- Asks for background work once: of many requests before the work starts, one says "enqueue it".
-- a: what (`kind:number`), wait (us for which it is believed to be queued)
-- returns {1, enqueue (0|1)}; while the work runs, it is noted that it is wanted once more
local busy = tonumber(call('HGET', K.work(), a.what) or 0) > now
if busy then
  if call('HEXISTS', K.work(), a.what .. ':by') == 1 then call('HSET', K.work(), a.what .. ':again', 1) end
  return done(0)
end
call('HDEL', K.work(), a.what .. ':by', a.what .. ':again')
call('HSET', K.work(), a.what, digits(now + a.wait))
return done(1)

-- Background work starts: the request is taken up, and nobody else does the same work for the length of the lease.
-- a: what (`kind:number`), by (token of this run), lease (us)
-- returns {1, begun (0|1)}; 0: another run is at it and will go over it once more
local v = call('HMGET', K.work(), a.what, a.what .. ':by')
if v[2] and v[2] ~= a.by and tonumber(v[1]) > now then
  call('HSET', K.work(), a.what .. ':again', 1)
  return done(0)
end
call('HDEL', K.work(), a.what .. ':again')
call('HSET', K.work(), a.what, digits(now + a.lease), a.what .. ':by', a.by)
return done(1)

-- A run of background work is over, unless the work was asked for again while it ran.
-- a: what (`kind:number`), by (token of this run), lease (us)
-- returns {1, again (0|1)}; 1: the lease is prolonged and the caller does the work once more
if call('HGET', K.work(), a.what .. ':by') ~= a.by then return done(0) end
if call('HDEL', K.work(), a.what .. ':again') == 1 then
  call('HSET', K.work(), a.what, digits(now + a.lease))
  return done(1)
end
call('HDEL', K.work(), a.what, a.what .. ':by')
return done(0)

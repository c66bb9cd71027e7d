-- A run of background work goes on: its lease is prolonged.
-- a: what (`kind:number`), by (token of this run), lease (us)
-- returns {1, renewed (0|1)}; 0: the lease was lost, another run may be at it
if call('HGET', K.work(), a.what .. ':by') ~= a.by then return done(0) end
call('HSET', K.work(), a.what, digits(now + a.lease))
return done(1)

-- Keeps what was measured of a pool in one period; the first of several engines wins.
-- a: pool, period (its number), begun (its begin, us), values (false: not measured), keep (samples)
-- returns {1, kept (0|1)}
local P = a.pool
local v = call('HMGET', K.pool(P), 'scale_interval', 'sampled', 'queue', 'seen_succeeded', 'seen_failed')
if tonumber(v[1] or 0) == 0 or a.period <= tonumber(v[2] or 0) then return done(0) end
local ended = call('HMGET', K.queue(v[3]), 'succeeded', 'failed')
a.values[4] = tonumber(ended[1] or 0) - tonumber(v[4])
a.values[5] = tonumber(ended[2] or 0) - tonumber(v[5])
call('HSET', K.pool(P), 'sampled', digits(a.period), 'seen_succeeded', ended[1] or 0, 'seen_failed', ended[2] or 0)
call('RPUSH', K.pool_samples(P), cmsgpack.pack({a.begun, a.values}))
call('LTRIM', K.pool_samples(P), -a.keep, -1)
return done(1)

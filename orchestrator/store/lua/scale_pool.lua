-- Takes the outcome of one evaluation: the pool shows it, and is resized when it gave other targets. There is no time
-- limit, and an earlier resize may still be going on (spec/autoscale.md, 7).
-- a: pool, due (the scale_next that was evaluated), run (JSON), dedicated, low (or false: it failed), deallocation
-- returns {1, resized (0|1)}; does nothing when autoscale was turned off, changed, or evaluated by somebody else
local P = a.pool
local v = call('HMGET', K.pool(P), 'state', 'scale_interval', 'scale_next', 'scale_from', 'target_dedicated', 'target_low',
  'allocation', 'resize_errors', 'modified')
local interval, from = tonumber(v[2] or 0), tonumber(v[4] or 0)
if v[1] ~= 'active' or interval == 0 or tonumber(v[3]) ~= a.due then return done(0) end
local next_at = from + (math.floor((now - from) / interval) + 1) * interval
call('HSET', K.pool(P), 'scale_run', a.run, 'scale_next', digits(next_at))
call('ZADD', K.due(), next_at, 'scale:' .. P) -- whatever lease is on it: the timer that fires now is not done
ring('due')
if not a.dedicated then return done(0) end
local moved = tonumber(v[5]) ~= a.dedicated or tonumber(v[6]) ~= a.low
-- What could not be allocated is tried again.
if not moved and (v[7] == 'resizing' or v[8] == '[]') then return done(0) end
if v[7] ~= 'resizing' then call('HSET', K.pool(P), 'allocation', 'resizing', 'allocation_at', now) end
call('HSET', K.pool(P), 'target_dedicated', a.dedicated, 'target_low', a.low, 'deallocation', a.deallocation,
  'resize_errors', '[]', 'resize_until', digits(now + 1e15), 'modified', moved and changed(v[9]) or v[9])
due('pool:' .. P, now)
return done(1)

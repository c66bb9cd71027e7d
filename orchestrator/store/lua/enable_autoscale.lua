-- Turns autoscale on, or changes its formula or interval (spec/autoscale.md, 1).
-- a: id, body, interval (us; false: as it is), pause (us between two calls), expect
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, PoolBeingResized, TooManyEnableAutoScaleRequests, Changed
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'allocation', 'modified', 'scale_asked', 'queue', 'scale_interval')
if a.expect ~= 0 and tonumber(v[3]) ~= a.expect then return refuse('Changed') end
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
if v[2] ~= 'steady' then return refuse('PoolBeingResized') end
if now < tonumber(v[4] or 0) + a.pause then return refuse('TooManyEnableAutoScaleRequests') end
call('HSET', K.pool(P), 'body', a.body, 'modified', changed(v[3]), 'scale_asked', now)
if tonumber(v[6] or 0) == 0 then
  scaling.begin(P, v[5], a.interval)
elseif a.interval then
  scaling.restart(P, a.interval)
end
return done(tonumber(P))

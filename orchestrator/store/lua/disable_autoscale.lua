-- Turns autoscale off: the targets stay, what was measured goes. A resize that is going on has a time limit from now on.
-- a: id, body, expect
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, Changed
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'modified', 'allocation', 'resize_timeout')
if tonumber(v[2]) ~= a.expect then return refuse('Changed') end
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
if not scaling.on(P) then return done(tonumber(P)) end
call('HSET', K.pool(P), 'body', a.body, 'modified', changed(v[2]), 'scale_interval', 0)
call('HDEL', K.pool(P), 'scale_run', 'scale_next', 'scale_from', 'sampled', 'seen_succeeded', 'seen_failed')
call('UNLINK', K.pool_samples(P))
call('ZREM', K.due(), 'scale:' .. P)
if v[3] ~= 'steady' then
  call('HSET', K.pool(P), 'resize_until', now + tonumber(v[4]))
  due('pool:' .. P, now)
end
return done(tonumber(P))

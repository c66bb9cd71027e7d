-- Sets new targets (spec/behaviour.md, 5).
-- a: id, dedicated (or false), low (or false), timeout (us), deallocation, expect
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, OperationNotValidOnPool (autoscale is on), PoolBeingResized,
-- Changed
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'allocation', 'modified', 'target_dedicated', 'target_low')
if a.expect ~= 0 and tonumber(v[3]) ~= a.expect then return refuse('Changed') end
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
if scaling.on(P) then return scaling.refuse_by_hand() end
if v[2] ~= 'steady' then return refuse('PoolBeingResized') end
call('HSET', K.pool(P), 'allocation', 'resizing', 'allocation_at', now, 'modified', changed(v[3]),
  'target_dedicated', a.dedicated or v[4], 'target_low', a.low or v[5], 'resize_timeout', a.timeout,
  'resize_until', now + a.timeout, 'deallocation', a.deallocation, 'resize_errors', '[]')
due('pool:' .. P, now)
return done(tonumber(P))

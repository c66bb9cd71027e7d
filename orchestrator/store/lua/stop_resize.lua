-- Stops a resize; what was done stays (spec/behaviour.md, 5: ETag unchanged).
-- a: id, expect
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, OperationInvalidForCurrentState, Changed
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'allocation', 'modified')
if a.expect ~= 0 and tonumber(v[3]) ~= a.expect then return refuse('Changed') end
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
if v[2] ~= 'resizing' then return refuse('OperationInvalidForCurrentState', 'The pool is not being resized') end
call('HSET', K.pool(P), 'allocation', 'stopping', 'allocation_at', now)
due('pool:' .. P, now)
return done(tonumber(P))

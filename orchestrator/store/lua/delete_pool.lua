-- Begins the end of a pool: its nodes leave, then it is forgotten (forget_pool).
-- a: id, expect
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, Changed
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'modified', 'queue')
if a.expect ~= 0 and tonumber(v[2]) ~= a.expect then return refuse('Changed') end
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
making.end_pool(P)
return done(tonumber(P))

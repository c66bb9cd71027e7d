-- Replaces the body (and what scheduling knows of it) of a pool.
-- a: id, body, expect (modified, or 0), fill (or false: as it is)
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, Changed
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'modified', 'queue')
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
if a.expect ~= 0 and tonumber(v[2]) ~= a.expect then return refuse('Changed') end
call('HSET', K.pool(P), 'body', a.body, 'modified', changed(v[2]))
if a.fill then call('HSET', K.pool(P), 'fill', a.fill) end
return done(tonumber(P))

-- A deleted pool whose nodes are all gone disappears; its queue stays while jobs name the id.
-- a: pool
-- returns {1, forgotten (0|1)}
local P = a.pool
local v = call('HMGET', K.pool(P), 'id', 'state', 'queue', 'certificates')
if v[2] ~= 'deleting' or call('ZCARD', K.pool_nodes(P)) > 0 then return done(0) end
charging.bequeath_pool(P)
call('HDEL', K.pool_ids(), string.lower(v[1]))
call('HDEL', K.housing_waits(), P)
call('ZREM', K.pools(), P)
certificates.hold('p' .. P, v[4], '')
call('HDEL', K.queue(v[3]), 'pool', 'claim_job', 'claim_task', 'claim_slots', 'claim_since', 'claim_node')
call('UNLINK', K.pool(P), K.pool_nodes(P), K.pool_node_ids(P), K.pool_samples(P), K.queue_open(v[3]))
forgetting.queue(v[3])
return done(1)

-- A deallocated node is to be started again; a worker boots it.
-- a: pool_id, node_id
-- returns {1, N}; refuses PoolNotFound, NodeNotFound, NodeBeing..., NodeStateUnusable, OperationInvalidForCurrentState
local n, refusal = named_node()
if not n then return refusal end
refusal = unless(n, {deallocated = true})
if refusal then return refusal end
charging.node(n.number, charging.length(), math.huge)
set_node_state(n, 'starting')
call('HSET', K.node(n.number), 'tries', 0)
flush_nodes()
due('pool:' .. n.pool, now)
return done(n.number)

-- A node takes tasks again.
-- a: pool_id, node_id
-- returns {1, N}; refuses PoolNotFound, NodeNotFound, NodeBeing..., NodeStateUnusable, OperationInvalidForCurrentState,
-- NodeAlreadyInTargetSchedulingState
local n, refusal = named_node()
if not n then return refusal end
refusal = unless(n, {idle = true, running = true, offline = true, starttaskfailed = true})
if refusal then return refusal end
if n.scheduling == 'enabled' then return refuse('NodeAlreadyInTargetSchedulingState') end
n.scheduling, n.dirty = 'enabled', true
send(n, {kind = 'drain', on = false})
settle_node_state(n)
finish({[n.queue] = true})
return done(n.number)

-- Takes a node towards a reboot, a reimage or its deallocation on a user's word (spec/behaviour.md, 4).
-- a: pool_id, node_id, to (rebooting | reimaging | deallocating), option (requeue | terminate | taskcompletion | retaineddata)
-- returns {1, N}; refuses PoolNotFound, NodeNotFound, NodeBeing..., NodeStateUnusable, OperationInvalidForCurrentState
local n, refusal = named_node()
if not n then return refusal end
local broken = a.to ~= 'deallocating'
refusal = unless(n, {idle = true, running = true, starttaskfailed = broken, unusable = broken})
if refusal then return refusal end
local queues = {}
if a.option == 'retaineddata' then await_data(n)
elseif a.option ~= 'taskcompletion' then
  queues = empty_node(n, 'node ' .. n.id .. ' is ' .. a.to, a.option)
end
set_node_state(n, a.to)
call('HSET', K.node(n.number), 'tries', 0)
flush_nodes()
due('pool:' .. n.pool, now)
finish(queues)
return done(n.number)

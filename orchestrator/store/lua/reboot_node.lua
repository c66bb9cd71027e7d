-- Reboots a node on a user's word (spec/behaviour.md, 4).
-- a: pool_id, node_id, option (requeue | terminate | taskcompletion)
-- returns {1, N}; refuses PoolNotFound, NodeNotFound, NodeBeing..., OperationInvalidForCurrentState
local P = call('HGET', K.pool_ids(), string.lower(a.pool_id))
if not P then return refuse('PoolNotFound') end
local N = call('HGET', K.pool_node_ids(P), string.lower(a.node_id))
if not N then return refuse('NodeNotFound') end
local n = node(tonumber(N))
local BUSY = {rebooting = 'NodeBeingRebooted', reimaging = 'NodeBeingReimaged', creating = 'NodeBeingCreated',
  starting = 'NodeBeingStarted', waitingforstarttask = 'NodeBeingStarted'}
if BUSY[n.state] then return refuse(BUSY[n.state]) end
if n.state ~= 'idle' and n.state ~= 'running' and n.state ~= 'starttaskfailed' and n.state ~= 'unusable' then
  return refuse('OperationInvalidForCurrentState', 'The node is ' .. n.state)
end
local queues = {}
if a.option ~= 'taskcompletion' then
  queues = empty_node(n, 'node ' .. n.id .. ' was rebooted', a.option)
end
set_node_state(n, 'rebooting')
flush_nodes()
due('pool:' .. P, now)
finish(queues)
return done(tonumber(N))

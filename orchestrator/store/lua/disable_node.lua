-- A node takes no tasks any more; what runs there is requeued, terminated or left to end (spec/behaviour.md, 4).
-- a: pool_id, node_id, option (requeue | terminate | taskcompletion)
-- returns {1, N}; refuses PoolNotFound, NodeNotFound, NodeBeing..., NodeStateUnusable, OperationInvalidForCurrentState,
-- NodeAlreadyInTargetSchedulingState
local n, refusal = named_node()
if not n then return refusal end
refusal = unless(n, {idle = true, running = true, offline = true, starttaskfailed = true})
if refusal then return refusal end
if n.scheduling == 'disabled' then return refuse('NodeAlreadyInTargetSchedulingState') end
n.scheduling, n.dirty = 'disabled', true
if a.option ~= 'taskcompletion' then
  end_tasks_of(n, 'scheduling was disabled on node ' .. n.id, a.option)
end
send(n, {kind = 'drain', on = true})
settle_node_state(n)
finish({[n.queue] = true})
return done(n.number)

-- A node that could not be made, or that says it cannot serve: unusable, with its error.
-- a: node, boot, error (JSON list of ComputeNodeError), logs (1: those of this boot lie in storage)
-- returns {1, changed (0|1)}
local n = node(a.node)
if not n or n.boot ~= a.boot or n.state == 'leavingpool' or n.state == 'preempted' then return done(0) end
local queues = empty_node(n, 'node ' .. n.id .. ' became unusable', 'lost')
set_node_state(n, 'unusable')
call('HSET', K.node(n.number), 'errors', a.error, 'data', '')
if a.logs == 1 then call('HSET', K.node(n.number), 'logs', n.boot) end
flush_nodes()
finish(queues)
return done(1)

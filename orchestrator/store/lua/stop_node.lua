-- The driver has stopped a node that was to be deallocated.
-- a: node, boot
-- returns {1, changed (0|1)}
local n = node(a.node)
if not n or n.boot ~= a.boot or n.state ~= 'deallocating' then return done(0) end
local queues = empty_node(n, 'node ' .. n.id .. ' was deallocated', 'lost')
set_node_state(n, 'deallocated')
call('HSET', K.node(n.number), 'data', '', 'stopped', '1')
flush_nodes()
finish(queues)
return done(1)

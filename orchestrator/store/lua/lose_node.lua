-- A node has been silent too long: unknown, its tasks run elsewhere; the engine has it restarted.
-- a: node, boot
-- returns {1, lost (0|1)}
local n = node(a.node)
if not n or n.boot ~= a.boot then return done(0) end
if n.state == 'unknown' or n.state == 'leavingpool' or n.state == 'creating' then return done(0) end
local queues = empty_node(n, 'node ' .. n.id .. ' was lost (no heartbeat)', 'lost')
set_node_state(n, 'unknown')
flush_nodes()
due('pool:' .. n.pool, now)
finish(queues)
return done(1)

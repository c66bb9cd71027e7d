-- A node has been silent too long: unknown, its tasks run elsewhere; the engine has it restarted.
-- a: node, boot
-- returns {1, lost (0|1)}
local n = node(a.node)
if not n or n.boot ~= a.boot then return done(0) end
if n.state == 'unknown' or n.state == 'creating' or n.state == 'deallocated' or n.state == 'preempted' then return done(0) end
if ON_ITS_WAY[n.state] and n.running == 0 and n.ahead == 0 and call('HGET', K.node(n.number), 'data') ~= 'wanted' then return done(0) end
local queues = empty_node(n, 'node ' .. n.id .. ' was lost (no heartbeat)', 'lost')
-- Where it is going it still goes; there is nothing left to wait for.
if not ON_ITS_WAY[n.state] then set_node_state(n, 'unknown') end
call('HSET', K.node(n.number), 'data', 'gone')
flush_nodes()
due('pool:' .. n.pool, now)
finish(queues)
return done(1)

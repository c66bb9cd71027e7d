-- Takes a low-priority node away (spec/behaviour.md, 25): its tasks are ready again, which counts neither as a retry nor
-- as a loss. Its worker ends it, and vacate_node gives its room to others.
-- a: node, away (us: how long it stays away at least)
-- returns {1, changed (0|1)}
local n = node(a.node)
if not n or n.dedicated == '1' or not (AGENT_HEARS[n.state] or n.state == 'creating' or n.state == 'unusable'
  or n.state == 'unknown') then return done(0) end
local queues = empty_node(n, 'node ' .. n.id .. ' was preempted', 'preempted')
set_node_state(n, 'preempted')
call('HSET', K.node(n.number), 'data', '', 'errors', '[]', 'back_at', digits(now + a.away))
flush_nodes()
due('pool:' .. n.pool, now)
finish(queues)
return done(1)

-- Nothing of a preempted node is left on the host: its room is free.
-- a: node
-- returns {1, changed (0|1)}
local n = node(a.node)
if not n or n.state ~= 'preempted' then return done(0) end
housing.give_back(n)
due('pool:' .. n.pool, math.max(now, tonumber(call('HGET', K.node(n.number), 'back_at') or 0)))
return done(1)

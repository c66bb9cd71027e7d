-- Puts one message in a node's inbox.
-- a: node, message (map with `kind`)
-- returns {1, seq}; refuses NodeNotFound
local n = node(a.node)
if not n or n.boot == 0 then return refuse('NodeNotFound') end
send(n, a.message)
flush_nodes()
return done(n.seq)

-- A removed node disappears from its pool.
-- a: node
-- returns {1, boot}
local n = node(a.node)
if not n then return done(0) end
local ports = {}
for _, one in ipairs(cjson.decode(call('HGET', K.node(n.number), 'ports') or '[]')) do
  ports[#ports + 1] = one.protocol .. ':' .. one.frontend
end
if #ports > 0 then call('HDEL', K.ports(), unpack(ports)) end
certificates.hold('n' .. n.number, call('HGET', K.node(n.number), 'certificates'), '')
local queues = empty_node(n, 'node ' .. n.id .. ' is gone', 'lost')
charging.node(n.number, charging.length(), math.huge)
housing.give_back(n)
call('ZREM', K.pool_nodes(n.pool), n.number)
call('HDEL', K.pool_node_ids(n.pool), string.lower(n.id))
call('ZREM', K.queue_open(n.queue), padded(n.number))
call('ZREM', K.queue_ahead(n.queue), padded(n.number))
call('ZREM', K.bell(), n.number .. ':' .. n.boot)
call('UNLINK', K.node(n.number), K.node_tasks(n.number), K.node_recent(n.number), K.inbox(n.number, n.boot),
  K.events(n.number, n.boot))
node_cache[n.number] = false
picky.nodes_changed(n.queue, n.number)
due('pool:' .. n.pool, now)
forgetting.node(n.number)
forgetting.names()
finish(queues)
return done(n.boot)

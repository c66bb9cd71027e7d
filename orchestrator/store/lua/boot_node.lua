-- Begins a new boot of a node: new number, empty queues, nothing held, the certificates that its pool refers to now.
-- a: node, start_task (JSON or ''), ip
-- returns {1, boot, previous boot}; refuses NodeNotFound, NodeLeaving
local n = node(a.node)
if not n then return refuse('NodeNotFound') end
if n.state == 'leavingpool' or n.state == 'preempted' then return refuse('NodeLeaving') end
local queues = empty_node(n, 'node ' .. n.id .. ' was started anew', 'lost')
call('UNLINK', K.inbox(n.number, n.boot), K.events(n.number, n.boot))
call('ZREM', K.bell(), n.number .. ':' .. n.boot)
local old = n.boot
n.boot, n.seq, n.dirty = old + 1, 0, true
if n.state == 'reimaging' then call('HSET', K.node(n.number), 'wiped', n.boot) end
set_node_state(n, 'starting')
call('HSET', K.node(n.number), 'boot', n.boot, 'start_task', a.start_task, 'start_info', '', 'errors', '[]', 'ip', a.ip,
  'data', '', 'stopped', '0')
call('HINCRBY', K.node(n.number), 'tries', 1)
local had, wanted = call('HGET', K.node(n.number), 'certificates'), call('HGET', K.pool(n.pool), 'certificates')
if (had or '') ~= (wanted or '') then
  certificates.hold('n' .. n.number, had, wanted)
  call('HSET', K.node(n.number), 'certificates', wanted or '')
end
flush_nodes()
picky.nodes_changed(n.queue, n.number)
finish(queues)
return done(n.boot, old)

-- Takes a node out of its pool by the pool's deallocation option (spec/behaviour.md, 4).
-- a: node
-- returns {1, empty (0|1)}: 1 when the node may be removed now
local n = node(a.node)
if not n then return done(1) end
local option = call('HGET', K.pool(n.pool), 'deallocation')
local queues = {}
if option == 'retaineddata' and n.state ~= 'leavingpool' then await_data(n) end
set_node_state(n, 'leavingpool')
if option ~= 'retaineddata' and option ~= 'taskcompletion' then
  queues = empty_node(n, 'node ' .. n.id .. ' was removed from the pool', option or 'requeue')
end
flush_nodes()
local empty = call('EXISTS', K.node_tasks(n.number)) == 0
  and not (option == 'retaineddata' and call('HGET', K.node(n.number), 'data') == 'wanted')
finish(queues)
return done(empty and 1 or 0)

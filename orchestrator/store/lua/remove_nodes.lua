-- Takes chosen nodes out of a pool; its targets shrink with them (spec/behaviour.md, 5). What runs on each is the
-- matter of leave_node, so that this script stays short whatever they hold.
-- a: id, nodes (list of ids, at most 100), timeout (us), deallocation, expect
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, OperationNotValidOnPool (autoscale is on), PoolBeingResized,
-- NodeNotFound, Changed
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'allocation', 'modified', 'target_dedicated', 'target_low')
if a.expect ~= 0 and tonumber(v[3]) ~= a.expect then return refuse('Changed') end
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
if scaling.on(P) then return scaling.refuse_by_hand() end
if v[2] ~= 'steady' then return refuse('PoolBeingResized') end
local victims, fewer = {}, {['1'] = 0, ['0'] = 0}
for _, id in ipairs(a.nodes) do
  local N = call('HGET', K.pool_node_ids(P), string.lower(id))
  if not N then return refuse('NodeNotFound', 'The specified node does not exist: ' .. id) end
  victims[tonumber(N)] = true
end
for N in pairs(victims) do
  local n = node(N)
  if n.state ~= 'leavingpool' then
    fewer[n.dedicated] = fewer[n.dedicated] + 1
    if a.deallocation == 'retaineddata' then await_data(n) end
    set_node_state(n, 'leavingpool')
  end
end
call('HSET', K.pool(P), 'allocation', 'resizing', 'allocation_at', now, 'modified', changed(v[3]),
  'target_dedicated', math.max(0, v[4] - fewer['1']), 'target_low', math.max(0, v[5] - fewer['0']),
  'resize_timeout', a.timeout, 'resize_until', now + a.timeout, 'deallocation', a.deallocation, 'resize_errors', '[]')
flush_nodes()
due('pool:' .. P, now)
return done(tonumber(P))

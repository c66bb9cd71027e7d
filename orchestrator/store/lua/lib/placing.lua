-- The scheduler's part for multi-instance tasks (lib/forming.lua chooses): all instances at once, or none.

local placing = {}

-- Takes a task off the ready index, and an idle node for each instance; the primary goes to the node that the task would like, if that is idle.
function placing.take(q, plan, j, T, class)
  local idle, near = forming.idle(q, j), affinity_node(q, j.number, T, 1)
  take_many(q, plan, j, class, {T})
  for i, n in ipairs(idle) do
    if n.number == near then table.insert(idle, 1, table.remove(idle, i)) break end
  end
  local nodes = {}
  for i = 1, class - GANG do
    local n = idle[i]
    n.free, n.running, n.dirty = n.free - 1, n.running + 1, true
    settle_node_state(n)
    sync_open(n)
    nodes[i] = n.number
  end
  plan.gangs[#plan.gangs + 1] = {j.number, T, nodes}
  count(j.number, 'active', -1, 1)
  count(j.number, 'running', 1, 1)
  refresh_offer(j)
end

-- A gang that is out of patience gets every node that becomes idle, until it has enough: with one slot per node, what
-- is idle is too few for it, and nothing else may take that. True when it was placed, nil while it collects.
function placing.serve(q, plan, c, patience)
  if now - c.since < patience then return false end
  if not forming.suits(q, job(c.job), c.slots, true) then return nil end
  q.claim = nil
  save_claim(q)
  placing.take(q, plan, job(c.job), c.task, c.slots)
  return true
end

-- Writes one gang: as commit() does, and the message of each node says which instance it is and who the others are.
function placing.commit(J, T, nodes)
  local j, t, hosts, instances = job(J), task(J, T), {}, {}
  local spec = call('HGET', K.task_specs(J), T)
  t[F.attempt], t[F.node], t[F.gang] = t[F.attempt] + 1, nodes[1], {#nodes, unpack(nodes)}
  for i, N in ipairs(nodes) do hosts[i] = call('HGET', K.node(N), 'ip') end
  local all = true
  for i, N in ipairs(nodes) do
    local n, prepare = node(N), {}
    local prepared = preparing.look(j, n, prepare)
    all = all and prepared
    instances[i] = gangs.instance(N, prepared)
    call('HSET', K.node_tasks(N), J .. '.' .. T .. '.' .. t[F.attempt], '1:' .. (n.seq + 1) .. 'g' .. (i - 1))
    send(n, {kind = 'gang', jobs = {{J, j.id, j.agent}}, task = {J, T, t[F.attempt], spec}, index = i - 1, hosts = hosts,
      prepare = #prepare > 0 and prepare or nil})
  end
  gangs.save(J, T, t[F.attempt], instances)
  t[F.prev], t[F.prev_at] = t[F.state], t[F.state_at]
  t[F.state], t[F.state_at], t[F.started] = all and RUNNING or PREPARING, now, now
  touch(J, T)
end

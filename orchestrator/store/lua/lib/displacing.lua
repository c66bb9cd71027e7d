-- Running tasks that give way: to a job manager task that comes back and finds no room, and, those of jobs that allow
-- it, to higher priorities. docs/architecture.md, "Displacement"; orchestrator/domain/displacing.py is the twin. A queue
-- without such jobs pays one look at what it has read already.

-- `looked_at`: attempts looked at in one go.
local displacing = {looked_at = 500}

-- The manager of the level that comes back and has no room, of the job with least (turn, number).
function displacing.manager(q, priority)
  local best
  for _, J in ipairs(call('SMEMBERS', K.queue_picky(q.number))) do
    local j = job(tonumber(J))
    if j and j.held and j.offered and j.priority == priority and j.manager_class <= q.slots
      and call('ZSCORE', K.job_ready(j.number, j.manager_class), j.manager) and task(j.number, j.manager)[F.attempt] > 0
      and j.manager_class > (j.picky and picky.room(q, j) or most_free(q))
      and (not best or j.turn < best.turn or (j.turn == best.turn and j.number < best.number)) then best = j end
  end
  return best and {job = best.number, task = best.manager, slots = best.manager_class, priority = priority, manager = true}
end

-- The task that is passed over, if something below its priority runs that would give way.
function displacing.passed_over(q, priority, sizes)
  local yielding, any = {}, false
  for _, J in ipairs(call('SMEMBERS', K.queue_yielding(q.number))) do
    local j = job(tonumber(J))
    if j and j.priority < priority and pending(j, 'running') > 0 then yielding[j.number], any = true, true end
  end
  if not any then return nil end
  local c = q.claim
  if c and job(c.job).priority == priority then
    return {job = c.job, task = c.task, slots = c.slots, priority = priority, yielding = yielding}
  end
  while sizes[#sizes] and sizes[#sizes] >= GANG do sizes[#sizes] = nil end -- a gang collects what becomes idle
  if #sizes == 0 then return nil end
  local J, T, size = first_task(q, priority, sizes, most_free(q), false)
  return J and {job = J, task = T, slots = size, priority = priority, yielding = yielding}
end

-- Does this attempt give way? Never a job manager task, nor one of several nodes, nor one that begins at this very
-- moment: what is assigned now does not depend on how many calls of the scheduler it takes.
function displacing.gives_way(need, j, T, t)
  if j.state ~= 'active' or T == j.manager or t[F.gang] or t[F.started] >= now then return false end
  if need.manager then return j.priority <= need.priority end
  return need.yielding[j.number]
end

-- What has to give way on a node: lowest priority first, then latest started. Or nil: it would not do, or is too much.
function displacing.victims(n, need)
  local free, found = n.free, {}
  for _, h in ipairs(held(n.number)) do
    local j = job(h[1])
    local t = j and task(h[1], h[2])
    if not runs_here(t, n.number, h[3]) then free = free + h[4] -- it is being ended
    elseif displacing.gives_way(need, j, h[2], t) then
      found[#found + 1] = {j = j, T = h[2], t = t, attempt = h[3], slots = h[4]}
    end
  end
  table.sort(found, function(x, y)
    if x.j.priority ~= y.j.priority then return x.j.priority < y.j.priority end
    if x.t[F.started] ~= y.t[F.started] then return x.t[F.started] > y.t[F.started] end
    if x.j.number ~= y.j.number then return x.j.number > y.j.number end
    return x.T > y.T
  end)
  local chosen = {}
  for _, v in ipairs(found) do
    if free >= need.slots then break end
    free = free + v.slots
    chosen[#chosen + 1] = v
  end
  return free >= need.slots and chosen or nil
end

-- Less to lose: the highest priority that goes, how many go, and for how long the last of them has run.
function displacing.cheaper(x, y)
  local a, b = x[#x], y[#y]
  if not a or not b then return not a and b ~= nil end
  if a.j.priority ~= b.j.priority then return a.j.priority < b.j.priority end
  if #x ~= #y then return #x < #y end
  return a.t[F.started] > b.t[F.started]
end

function displacing.place(q, need)
  local best, chosen, looked = nil, nil, 0
  for _, N in ipairs(call('ZRANGE', K.pool_nodes(q.pool), 0, -1)) do
    local n = node(tonumber(N))
    if n and in_service(n) and n.ahead == 0 and picky.allows(job(need.job), n) then
      local victims = displacing.victims(n, need)
      if victims and (not best or displacing.cheaper(victims, chosen)) then best, chosen = n, victims end
      looked = looked + n.running + 1
      if looked > displacing.looked_at then break end
    end
  end
  return best, chosen
end

-- Lets tasks give way on one node, which is reserved for who needs it. One node at a time. Returns whether it did.
function displacing.act(q)
  if not (q.yields or q.picky) or (q.claim and (q.claim.node or q.claim.slots >= GANG)) then return false end
  local priority, sizes = top_level(q)
  if not priority or (q.floor and priority < q.floor) then return false end
  local need = q.picky and displacing.manager(q, priority)
  if not need and q.yields then need = displacing.passed_over(q, priority, sizes) end
  local n, victims
  if need then n, victims = displacing.place(q, need) end
  if not n then return false end
  local kill = {}
  for i, v in ipairs(victims) do
    take_away(v.j, v.T, v.t, need.manager and 'it gave way to a job manager task that had to start again'
      or 'it gave way to a job of higher priority', 'requeue')
    kill[i] = {v.j.number, v.T, v.attempt, 'requeue'}
    if v.j.queue ~= q.number then ring('queue:' .. v.j.queue) end
  end
  if #kill > 0 then send(n, {kind = 'kill', tasks = kill}) end
  local since = q.claim and q.claim.job == need.job and q.claim.task == need.task and q.claim.since or now
  q.claim = {job = need.job, task = need.task, slots = need.slots, since = since, node = n.number}
  save_claim(q)
  sync_open(n)
  return true
end

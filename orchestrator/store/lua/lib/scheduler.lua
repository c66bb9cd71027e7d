-- The scheduler: docs/architecture.md, "Scheduling policy", numbered alike.
-- orchestrator/domain/scheduling.py is its twin in plain Python.

local SCHEDULE_BUDGET = 100

-- Takes a task off the ready index and the slots off the node; commit() writes the rest.
local function take(q, plan, j, T, size, N)
  take_many(q, plan, j, size, {T})
  local n = node(N)
  n.free, n.running, n.dirty = n.free - size, n.running + 1, true
  settle_node_state(n)
  sync_open(n)
  plan[#plan + 1] = {j.number, T, size, N}
  local slots = T == j.manager and task(j.number, T)[F.slots] or size
  count(j.number, 'active', -1, slots)
  count(j.number, 'running', 1, slots)
  refresh_offer(j)
end

-- 2: is the claim still a claim? While the manager waits, nothing else of its job is ready, whatever the index holds.
local function claim_holds(q)
  local c = q.claim
  local j = job(c.job)
  return j and j.offered and j.queue == q.number
    and (c.slots <= q.slots or (c.slots >= GANG and forming.could(q, j, c.slots))) and (not j.held or c.task == j.manager)
    and call('ZSCORE', K.job_ready(c.job, c.slots), c.task)
end

-- Opens the reserved node again; the claim goes on without one.
local function let_go(q)
  local N = q.claim.node
  if not N then return end
  q.claim.node = nil
  save_claim(q)
  if node(N) then sync_open(node(N)) end
end

-- 2, 3, 4: the claim. True when the claimed task was assigned, nil when nothing else may be.
local function serve_claim(q, plan, priority)
  local c = q.claim
  if not c then return false end
  if not claim_holds(q) then drop_claim(q); return false end
  if c.node and not (node(c.node) and in_service(node(c.node)) and picky.allows(job(c.job), node(c.node))) then
    let_go(q)
  end
  -- A higher priority has work: the claim sleeps, but its patience runs on.
  if job(c.job).priority < priority then let_go(q); return false end
  local patience = tonumber(call('HGET', K.meta(), 'patience') or 30000000)
  if c.slots >= GANG then return placing.serve(q, plan, c, patience) end
  if not c.node and now - c.since >= patience then
    local free = most_free(q)
    if free > 0 then
      c.node = choose_node(q, 1, free, 'spread', job(c.job))
      save_claim(q)
      if c.node then sync_open(node(c.node)) end
    end
  end
  if not c.node or room(node(c.node)) < c.slots then return false end
  q.claim = nil
  save_claim(q)
  take(q, plan, job(c.job), c.task, c.slots, c.node)
  return true
end

-- 7: remembers who is being passed over.
local function claim_for_misfit(q, priority, sizes, free)
  if (sizes[#sizes] <= free and not q.picky) or (q.claim and job(q.claim.job).priority >= priority) then return end
  local J, T, size = first_task(q, priority, sizes, free, false)
  if J then
    q.claim = {job = J, task = T, slots = size, since = now}
    save_claim(q)
  end
end

-- One assignment, or none.
local function step(q, plan)
  local free = most_free(q)
  if free == 0 and not q.claim then return false end
  local priority, sizes = top_level(q)
  if not priority then
    if q.claim then drop_claim(q) end
    return false
  end
  if q.floor and priority < q.floor then return false end
  if q.claim then
    local served = serve_claim(q, plan, priority)
    if served ~= false then return served end
    free = most_free(q)
  end
  local J, T, size
  if free >= sizes[1] or sizes[#sizes] >= GANG then J, T, size = first_task(q, priority, sizes, free, true) end
  if not J then return false end
  claim_for_misfit(q, priority, sizes, free)
  if size >= GANG then
    placing.take(q, plan, job(J), T, size)
    return true
  end
  local N = affinity_node(q, J, T, size) or choose_node(q, size, free, q.fill, job(J))
  take(q, plan, job(J), T, size, N)
  return true
end

-- Writes the assignments: states, what nodes hold, one inbox message per node.
local function commit(q, plan)
  local by_job, by_node, nodes = {}, {}, {}
  for _, p in ipairs(plan) do
    local J, N = p[1], p[4]
    by_job[J] = by_job[J] or {}
    table.insert(by_job[J], p[2])
    if not by_node[N] then by_node[N] = {}; nodes[#nodes + 1] = N end
    table.insert(by_node[N], p)
  end
  for _, p in ipairs(plan.gangs) do placing.commit(p[1], p[2], p[3]) end
  local specs = {}
  for J, numbers in pairs(by_job) do
    load_tasks(J, numbers)
    local raw = hmget(K.task_specs(J), numbers)
    specs[J] = {}
    for i, T in ipairs(numbers) do specs[J][T] = raw[i] end
  end
  for _, N in ipairs(nodes) do
    local n, jobs, tasks, holds, named, prepare = node(N), {}, {}, {}, {}, {}
    for _, p in ipairs(by_node[N]) do
      local J, T, size = p[1], p[2], p[3]
      local t = task(J, T)
      local prepared = preparing.look(job(J), n, prepare)
      t[F.attempt], t[F.node] = t[F.attempt] + 1, N
      if p[5] then
        t[F.state] = PREFETCHED
      else
        t[F.prev], t[F.prev_at] = t[F.state], t[F.state_at]
        t[F.state], t[F.state_at], t[F.started] = prepared and RUNNING or PREPARING, now, now
      end
      touch(J, T)
      if not named[J] then named[J] = true; jobs[#jobs + 1] = {J, job(J).id, job(J).agent} end
      tasks[#tasks + 1] = {J, T, t[F.attempt], specs[J][T], t[F.retries], size, p[5] and 1 or 0}
      holds[#holds + 1] = J .. '.' .. T .. '.' .. t[F.attempt]
      holds[#holds + 1] = size .. ':' .. (n.seq + 1) .. (p[5] and 'a' or '')
    end
    many('HSET', K.node_tasks(N), holds)
    send(n, {kind = 'run', jobs = jobs, tasks = tasks, prepare = #prepare > 0 and prepare or nil})
  end
  for J in pairs(plan.jobs) do call('HSET', K.job(J), 'turn', job(J).turn) end
  call('HSET', K.queue(q.number), 'turn', q.turn)
end

-- 5, 6: what choose_node would choose, one after the other, for `limit` tasks of one size.
local function choose_many(open, size, fill, limit)
  local chosen = {}
  while #chosen < limit do
    local best
    for _, n in ipairs(open) do
      if n.free >= size and (not best or (fill == 'pack' and n.free < best.free)
        or (fill ~= 'pack' and n.free > best.free)) then best = n end
    end
    if not best then break end
    best.free = best.free - size
    chosen[#chosen + 1] = best.number
  end
  return chosen
end

-- Many steps at once where they are all alike: no claim, one job, one size. What it does is what step() would do
-- again and again, at the cost of one; it stops where the steps would differ, and step() goes on.
-- Returns whether it took any, and whether no slot is free any more, so that there is nothing to go on with.
local function run_of_steps(q, plan)
  local open = not q.claim and few_open(q)
  if not open or #open == 0 then return false end
  local j, size = lone_job(q)
  if not j then return false end
  local chosen = choose_many(open, size, q.fill, SCHEDULE_BUDGET - #plan)
  if #chosen == 0 then return false end
  local tasks = call('ZRANGE', K.job_ready(j.number, size), 0, #chosen - 1)
  take_many(q, plan, j, size, tasks)
  for i, T in ipairs(tasks) do
    local n = node(chosen[i])
    n.free, n.running, n.dirty = n.free - size, n.running + 1, true
    settle_node_state(n)
    plan[#plan + 1] = {j.number, tonumber(T), size, n.number}
  end
  sync_all_open()
  count(j.number, 'active', -#tasks, size)
  count(j.number, 'running', #tasks, size)
  local left = 0
  for _, n in ipairs(open) do left = left + n.free end
  return true, left == 0 and #tasks == #chosen
end

-- Assigns what can be assigned; the engine is rung when the budget ends first. `N`: a node that has reported, and may
-- be given tasks to go on with.
local function schedule(Q, N)
  local q = load_queue(Q)
  sync_all_open()
  load_ahead(q)
  if not q.open then return 0 end
  local plan = {jobs = {}, gangs = {}}
  while #plan + #plan.gangs < SCHEDULE_BUDGET do
    local took, full = run_of_steps(q, plan)
    if full or not (took or step(q, plan)) then break end
  end
  if #plan < SCHEDULE_BUDGET and displacing.act(q) then ring('queue:' .. Q) end
  look_ahead(q, plan, N, SCHEDULE_BUDGET - #plan)
  local made = #plan + #plan.gangs
  if made > 0 then commit(q, plan) end
  if made >= SCHEDULE_BUDGET then ring('queue:' .. Q) end
  return made
end

-- The end of every transition: dependencies first, then the queues they may have fed, then what was changed.
-- `N`: as schedule() wants it.
local function finish(queues, N)
  work_all_todos()
  for J, d in pairs(count_deltas) do
    local j = job_cache[J]
    if j then queues[j.queue] = true; check_all_complete(j); refresh_offer(j) end
  end
  for Q in pairs(queues) do schedule(Q, N) end
  flush_nodes()
  flush_tasks()
  flush_counts()
end

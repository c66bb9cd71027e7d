-- Credit for short tasks: attempts that wait at a node for its next free slot, so that it need not ask for each.
-- docs/architecture.md, "Credit for short tasks"; orchestrator/domain/ahead.py is the twin. Tasks of one job and one
-- size at most wait in a queue: the fields ahead_job and ahead_size of the queue say which.

-- Most tasks beyond its slots that a node may be given.
local CREDIT = 32
-- Jobs whose tasks take longer than this have no credit, and a node is given no more than it runs in the horizon;
-- both in microseconds.
local SHORT = 30000
local HORIZON = 100000

-- May tasks of the job wait at nodes still? Then it is not over.
local function waits_at_nodes(j)
  return tonumber(call('HGET', K.queue(j.queue), 'ahead_job') or 0) == j.number and call('EXISTS', K.queue_ahead(j.queue)) == 1
end

-- What is known of a job's run times: longer ones count at once, shorter ones little by little.
local function paced(pace, mean)
  if pace == 0 or mean > pace then return math.max(1, mean) end
  return math.max(1, math.floor((3 * pace + mean) / 4))
end

local function set_pace(j, pace)
  if j.pace == pace then return end
  j.pace = pace
  call('HSET', K.job(j.number), 'pace', pace)
end

-- Which tasks wait in the queue, if any: q.ahead = {job, size}. Lower priorities wait for them: q.floor.
local function load_ahead(q)
  if not q.ahead then return end
  local j = job(q.ahead.job)
  if call('EXISTS', K.queue_ahead(q.number)) == 0 then
    q.ahead = nil
    call('HDEL', K.queue(q.number), 'ahead_job', 'ahead_size')
    if j and j.state ~= 'active' then step_later(j.number) end
  elseif j and j.offered then
    q.floor = j.priority
  end
end

-- Does anybody want the slots that the waiting tasks wait for, or are those not to start any more?
local function unwelcome(q)
  local j = job(q.ahead.job)
  if not j or not j.offered or j.queue ~= q.number or j.max_parallel >= 0 or q.claim then return true end
  local priority = top_level(q)
  if not priority or priority < j.priority then return false end
  local lone, size = lone_job(q)
  return lone ~= j or size ~= q.ahead.size
end

-- A hundred nodes are asked in one call to give back what they have not started; others follow with the next.
local function recall_all(q)
  for _, N in ipairs(call('ZREVRANGE', K.queue_ahead(q.number), 0, 99)) do recall(node(tonumber(N))) end
end

-- A slot is free and nothing is ready: the node where most wait gives them back.
local function recall_for_the_idle(q)
  if most_free(q) < q.ahead.size then return end
  local N = call('ZREVRANGE', K.queue_ahead(q.number), 0, 0)[1]
  if N then recall(node(tonumber(N))) end
end

-- How many more tasks of the job may wait at the node. What is left is shared: no node takes more than its part of
-- half of it, so that all nodes end at the same time.
local function credit(q, n, j, size)
  if j.pace == 0 or j.pace > SHORT or n.recall > 0 or not in_service(n) or size > n.slots then return 0 end
  local waiting = n.ahead / size
  local most = math.min(CREDIT, math.floor(math.floor(n.slots / size) * HORIZON / j.pace))
  if 2 * waiting > most then return 0 end
  local share = math.floor(call('ZCARD', K.job_ready(j.number, size)) / (2 * call('ZCARD', K.pool_nodes(q.pool))))
  return math.max(0, math.min(most, share) - waiting)
end

-- Gives the node tasks to go on with. Returns how many.
local function top_up(q, plan, n, budget)
  if q.claim then return end
  local j, size = lone_job(q)
  if not j or (q.ahead and (q.ahead.job ~= j.number or q.ahead.size ~= size)) then return end
  local wanted = math.min(budget, credit(q, n, j, size))
  if wanted == 0 then return end
  local tasks = call('ZRANGE', K.job_ready(j.number, size), 0, wanted - 1)
  take_many(q, plan, j, size, tasks)
  for _, T in ipairs(tasks) do plan[#plan + 1] = {j.number, tonumber(T), size, n.number, true} end
  n.ahead, n.dirty = n.ahead + size * #tasks, true
  settle_node_state(n)
  sync_open(n)
  if not q.ahead then
    q.ahead = {job = j.number, size = size}
    call('HSET', K.queue(q.number), 'ahead_job', j.number, 'ahead_size', size)
  end
end

-- After the scheduler has placed what it could: what waits at nodes is called back, or the node that reported is
-- given more to go on with.
local function look_ahead(q, plan, N, budget)
  if q.ahead then
    if unwelcome(q) then return recall_all(q) end
    recall_for_the_idle(q)
  end
  if N and budget > 0 and node(N).queue == q.number then top_up(q, plan, node(N), budget) end
end

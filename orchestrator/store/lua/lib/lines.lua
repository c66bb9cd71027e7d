-- What the scheduler sees of a queue: its pool, its claim, who is first in line, and where there is room.

-- With more open nodes than this, tasks are placed one by one.
local RUN_NODES = 16
local CLAIM_NONE = {'claim_job', '', 'claim_task', '', 'claim_slots', '', 'claim_since', '', 'claim_node', ''}

local function load_queue(Q)
  local v = call('HMGET', K.queue(Q), 'pool', 'turn', 'claim_job', 'claim_task', 'claim_slots', 'claim_since',
    'claim_node', 'ahead_job', 'ahead_size', 'yields')
  local q = {number = Q, pool = tonumber(v[1]), turn = tonumber(v[2] or 0)}
  q.yields = v[10]
  q.ahead = v[8] and {job = tonumber(v[8]), size = tonumber(v[9])}
  reserved_nodes[Q] = tonumber(v[7] or 0) or 0
  if not q.pool then return q end
  local p = call('HMGET', K.pool(q.pool), 'state', 'slots', 'fill', 'id')
  q.open, q.slots, q.fill, q.pool_id = p[1] == 'active', tonumber(p[2]), p[3], p[4]
  q.picky = call('EXISTS', K.queue_picky(Q)) == 1
  if v[3] and v[3] ~= '' then
    q.claim = {job = tonumber(v[3]), task = tonumber(v[4]), slots = tonumber(v[5]), since = tonumber(v[6]),
      node = v[7] ~= '' and tonumber(v[7]) or nil}
  end
  return q
end

local function save_claim(q)
  local c = q.claim
  reserved_nodes[q.number] = c and c.node or 0
  if c then
    call('HSET', K.queue(q.number), 'claim_job', c.job, 'claim_task', c.task, 'claim_slots', c.slots,
      'claim_since', c.since, 'claim_node', c.node or '')
  else
    call('HSET', K.queue(q.number), unpack(CLAIM_NONE))
  end
end

-- Forgets the claim; a reserved node is open again.
local function drop_claim(q)
  local N = q.claim.node
  q.claim = nil
  save_claim(q)
  if N and node(N) then sync_open(node(N)) end
end

-- The top level: its priority and its classes that could ever run (slots <= S).
local function top_level(q)
  local key = K.queue_levels(q.number)
  local first = call('ZRANGE', key, 0, 1, 'WITHSCORES')
  local score = first[2]
  while score do
    local sizes = {}
    -- One class at the top is the ordinary case, and is known by now.
    local level_names = first and first[4] ~= score and {first[1]} or call('ZRANGEBYSCORE', key, score, score)
    for _, level in ipairs(level_names) do
      local slots = tonumber(string.match(level, ':(%d+)$'))
      if slots <= q.slots or (slots >= GANG and forming.wanted(q, 0 - tonumber(score), slots)) then sizes[#sizes + 1] = slots end
    end
    first = nil
    if #sizes > 0 then
      table.sort(sizes)
      return 0 - tonumber(score), sizes -- not -score: minus zero would be spelled "-0" in a key
    end
    score = call('ZRANGEBYSCORE', key, '(' .. score, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  end
end

-- Does a task of this size of the job fit now (`fits`), or could it once there is room (not `fits`)? `free`: F.
local function suits(q, j, slots, free, fits)
  if slots >= GANG then return forming.suits(q, j, slots, fits) end
  if j.picky then free = picky.room(q, j) end
  if fits then return slots <= free end
  return slots > free
end

-- First job of a class that suits, and its turn; jobs that may use every node are alike, so the first of them decides.
local function first_job(q, key, slots, free, fits)
  local at = 0
  while true do
    local head = call('ZRANGE', key, at, at, 'WITHSCORES')
    if not head[1] then return nil end
    local j = (q.picky or slots >= GANG) and job(tonumber(head[1]))
    if slots >= GANG then
      if forming.suits(q, j, slots, fits) then return j.number, tonumber(head[2]) end
      if not q.picky then return nil end
    elseif not q.picky or not j.picky then
      if (fits and slots <= free) or (not fits and slots > free) then return tonumber(head[1]), tonumber(head[2]) end
      if not q.picky then return nil end
    elseif suits(q, j, slots, free, fits) then
      return j.number, tonumber(head[2])
    end
    at = at + 1
  end
end

-- Job with least (turn, number) that has a task that fits (or not `fits`: that does not, now), and its lowest such task.
local function first_task(q, priority, sizes, free, fits)
  local best, best_turn
  for _, slots in ipairs(sizes) do
    local J, turn = first_job(q, K.queue_class(q.number, priority, slots), slots, free, fits)
    if J and (not best or turn < best_turn or (turn == best_turn and J < best)) then best, best_turn = J, turn end
  end
  if not best then return nil end
  local j, T, size = job(best), nil, nil
  for _, slots in ipairs(j.held and {j.manager_class} or sizes) do
    if suits(q, j, slots, free, fits) then
      local head = call('ZRANGE', K.job_ready(best, slots), 0, 0, 'WITHSCORES')[2]
      if head and (not T or tonumber(head) < T) then T, size = tonumber(head), slots end
    end
  end
  return best, T, size
end

local function most_free(q)
  local top = call('ZREVRANGE', K.queue_open(q.number), 0, 0, 'WITHSCORES')
  return tonumber(top[2] or 0)
end

local function affinity_node(q, J, T, size)
  local id = job(J).has_affinity and call('HGET', K.task_affinity(J), T)
  local N = id and call('HGET', K.pool_node_ids(q.pool), string.lower(id))
  local free = N and call('ZSCORE', K.queue_open(q.number), padded(tonumber(N)))
  if free and tonumber(free) >= size and picky.allows(job(J), node(tonumber(N))) then return tonumber(N) end
end

local function choose_node(q, size, free, fill, j)
  if j and j.picky then return picky.node(q, j, size, fill) end
  local key = K.queue_open(q.number)
  if fill == 'pack' then free = call('ZRANGEBYSCORE', key, size, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] end
  return tonumber(call('ZRANGEBYSCORE', key, free, free, 'LIMIT', 0, 1)[1])
end

-- The open nodes with their free slots, by number; nil when there are more than a run looks at.
local function few_open(q)
  local raw = call('ZRANGE', K.queue_open(q.number), 0, RUN_NODES, 'WITHSCORES')
  if #raw > 2 * RUN_NODES then return nil end
  local out = {}
  for i = 1, #raw, 2 do out[#out + 1] = {number = tonumber(raw[i]), free = tonumber(raw[i + 1])} end
  table.sort(out, function(x, y) return x.number < y.number end)
  return out
end

-- The job that has the whole top level to itself and asks for nothing but slots, and its size; or nil.
local function lone_job(q)
  local priority, sizes = top_level(q)
  if not priority or #sizes > 1 or sizes[1] >= GANG or (q.floor and priority < q.floor) then return nil end
  local heads = call('ZRANGE', K.queue_class(q.number, priority, sizes[1]), 0, 1)
  local j = #heads == 1 and job(tonumber(heads[1]))
  if not j or j.has_affinity or j.max_parallel >= 0 or j.prep ~= '' or j.picky or j.held then return nil end
  return j, sizes[1]
end

-- Tasks of one size of one job go off the ready index, as many turns as tasks.
local function take_many(q, plan, j, size, tasks)
  unready(j, size, unpack(tasks))
  if j.held then picky.manager_goes(j) end
  q.turn = q.turn + #tasks
  j.turn = q.turn
  plan.jobs[j.number] = true
  if j.offered then
    for _, slots in ipairs(offered_classes(j)) do keep_turn(j, slots) end
  end
end

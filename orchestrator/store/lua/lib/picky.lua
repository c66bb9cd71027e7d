-- Jobs that may not use every node: their preparation failed on some, or their manager wants a dedicated one. And the
-- job manager task, before which nothing else of its job is offered. docs/architecture.md, "Scheduling policy".

-- `looked_at`: open nodes looked at for a picky job.
local picky = {looked_at = 500}

function picky.allows(j, n)
  if not j.picky then return true end
  if j.held and j.dedicated_only and n.dedicated ~= '1' then return false end
  return call('SISMEMBER', K.job_barred(j.number), n.number) == 0
end

function picky.allowed_open(q, j)
  local raw, out = call('ZREVRANGE', K.queue_open(q.number), 0, picky.looked_at - 1, 'WITHSCORES'), {}
  for i = 1, #raw, 2 do
    local n = node(tonumber(raw[i]))
    if n and picky.allows(j, n) then out[#out + 1] = {number = n.number, free = tonumber(raw[i + 1])} end
  end
  return out
end

-- Most free slots of an open node that the job may use.
function picky.room(q, j)
  local first = picky.allowed_open(q, j)[1]
  return first and first.free or 0
end

-- Step 6's node for a picky job, or nil.
function picky.node(q, j, size, fill)
  local best
  for _, n in ipairs(picky.allowed_open(q, j)) do
    if n.free >= size and (not best or (n.free == best.free and n.number < best.number)
      or (fill == 'pack' and n.free < best.free) or (fill ~= 'pack' and n.free > best.free)) then best = n end
  end
  return best and best.number
end

-- A job whose every node is out of question does not hold others up: it does not offer.
function picky.look_around(j)
  local P = call('HGET', K.queue(j.queue), 'pool')
  local nodes = j.picky and P and call('ZRANGE', K.pool_nodes(P), 0, -1) or {}
  local stuck = #nodes > 0
  for _, N in ipairs(nodes) do
    local n = node(tonumber(N))
    if n and picky.allows(j, n) then stuck = false; break end
  end
  if j.stuck ~= stuck then
    j.stuck = stuck
    call('HSET', K.job(j.number), 'stuck', stuck and '1' or '')
  end
  refresh_offer(j)
end

-- After whatever may change which nodes the job may use.
function picky.settle(j)
  local want = call('EXISTS', K.job_barred(j.number)) == 1 or (j.held and j.dedicated_only)
  if j.picky ~= want then
    j.picky = want
    call('HSET', K.job(j.number), 'picky', want and '1' or '')
  end
  call((want or j.held) and 'SADD' or 'SREM', K.queue_picky(j.queue), j.number)
  picky.look_around(j)
end

-- The job's preparation failed on the node.
function picky.bar(j, n)
  call('SADD', K.job_barred(j.number), n.number)
  picky.settle(j)
end

-- A node came, went, or starts anew (`fresh`): what failed there is tried again.
function picky.nodes_changed(Q, fresh)
  for _, J in ipairs(call('SMEMBERS', K.queue_picky(Q))) do
    local j = job(tonumber(J))
    if fresh then call('SREM', K.job_barred(j.number), fresh) end
    picky.settle(j)
  end
end

-- The manager waits, or waits for another pool now: nothing else of its job is offered until it has been given a node.
function picky.manager_waits(j)
  local v = call('HMGET', K.job(j.number), 'exclusive', 'manager_slots')
  local P = call('HGET', K.queue(j.queue), 'pool')
  local slots = tonumber(v[2])
  if v[1] == '1' and P then slots = math.max(slots, tonumber(call('HGET', K.pool(P), 'slots'))) end
  set_offered(j, false)
  local ready = j.held and call('ZSCORE', K.job_ready(j.number, j.manager_class), j.manager)
  if ready then unready(j, j.manager_class, j.manager) end
  j.held, j.manager_class = true, slots
  call('HSET', K.job(j.number), 'held', '1', 'manager_class', slots)
  if ready then ready_tasks(j, slots, {j.manager}) end
  picky.settle(j)
end

-- The manager has a node, or is over: the others follow.
function picky.manager_goes(j)
  if j.offered then leave_class(j, j.manager_class) end
  set_offered(j, false)
  j.held = false
  call('HSET', K.job(j.number), 'held', '')
  picky.settle(j)
end

-- There is a pool for the queue: managers that want a whole node know now how many slots that is.
function picky.pool_made(Q)
  for _, J in ipairs(call('SMEMBERS', K.queue_picky(Q))) do
    local j = job(tonumber(J))
    if j.held then picky.manager_waits(j) end
  end
end

-- The ready index: queue -> level (priority, slots) -> jobs by turn -> tasks by number.
-- Only jobs that offer (active, below maxParallelTasks) are in it, so that no
-- script walks past what cannot run. docs/architecture.md, "Scheduling policy".

local function keep_turn(j, slots)
  call('ZADD', K.queue_class(j.queue, j.priority, slots), j.turn, padded(j.number))
end

local function enter_class(j, slots)
  keep_turn(j, slots)
  call('ZADD', K.queue_levels(j.queue), -j.priority, j.priority .. ':' .. slots)
end

local function leave_class(j, slots)
  local key = K.queue_class(j.queue, j.priority, slots)
  call('ZREM', key, padded(j.number))
  if call('EXISTS', key) == 0 then
    call('ZREM', K.queue_levels(j.queue), j.priority .. ':' .. slots)
  end
end

-- The size under which a task is ready: its slots, but for a job manager task that wants a whole node and for gangs.
local function class_of(j, T, t)
  return T == j.manager and j.manager_class or t[F.gang] and GANG + t[F.gang][1] or t[F.slots]
end

local function classes(J) return call('ZRANGE', K.job_classes(J), 0, -1) end

-- Sizes that the job offers: while its manager waits, that alone.
local function offered_classes(j)
  if not j.held then return classes(j.number) end
  return call('ZSCORE', K.job_ready(j.number, j.manager_class), j.manager) and {j.manager_class} or {}
end

local function set_offered(j, offered)
  if j.offered == offered then return end
  j.offered = offered
  call('HSET', K.job(j.number), 'offered', offered and '1' or '0')
  for _, slots in ipairs(offered_classes(j)) do
    if offered then enter_class(j, slots) else leave_class(j, slots) end
  end
end

-- To be called after whatever may change whether the job offers.
local function refresh_offer(j)
  set_offered(j, j.state == 'active' and not j.stuck and (j.max_parallel < 0 or pending(j, 'running') < j.max_parallel))
end

-- Tasks of one size become ready.
local function ready_tasks(j, slots, numbers)
  local args = {}
  for _, T in ipairs(numbers) do args[#args + 1] = T; args[#args + 1] = T end
  many('ZADD', K.job_ready(j.number, slots), args)
  local first = call('ZADD', K.job_classes(j.number), slots, slots) == 1
  if j.held then first = slots == j.manager_class end -- others of that size may have been ready before
  if first and j.offered then enter_class(j, slots) end
end

-- Takes tasks of one size off the ready index.
local function unready(j, slots, ...)
  local key = K.job_ready(j.number, slots)
  if call('ZREM', key, ...) == 0 then return end
  if call('EXISTS', key) == 0 then
    call('ZREM', K.job_classes(j.number), slots)
    if j.offered then leave_class(j, slots) end
  end
end

local function queue_number(pool_id)
  local key = string.lower(pool_id)
  local Q = call('HGET', K.queue_ids(), key)
  if Q then return tonumber(Q) end
  Q = call('HINCRBY', K.seq(), 'queue', 1)
  call('HSET', K.queue_ids(), key, Q)
  call('HSET', K.queue(Q), 'id', pool_id, 'turn', 0, 'jobs', 0)
  return Q
end

-- The queue knows the jobs whose tasks give way to higher priorities (lib/displacing.lua), and whether there are any.
local function set_yielding(J, Q, yields)
  call(yields and 'SADD' or 'SREM', K.queue_yielding(Q), J)
  if call('EXISTS', K.queue_yielding(Q)) == 1 then call('HSET', K.queue(Q), 'yields', '1')
  else call('HDEL', K.queue(Q), 'yields') end
end

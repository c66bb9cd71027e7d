-- Jobs: the few facts that scheduling needs, read once per script.

local job_cache = {}
local JOB_FIELDS = {'id', 'queue', 'priority', 'state', 'turn', 'max_parallel', 'on_all', 'on_fail', 'offered',
  'state_at', 'modified', 'agent', 'disable_option', 'uses_deps', 'max_retry', 'has_affinity', 'pace',
  'prep', 'manager', 'manager_class', 'held', 'dedicated_only', 'picky', 'stuck'}

local COUNTS = {'active', 'running', 'completed', 'succeeded', 'failed',
  'active_slots', 'running_slots', 'completed_slots', 'succeeded_slots', 'failed_slots'}

local function job(J)
  local j = job_cache[J]
  if j ~= nil then return j end
  local v = call('HMGET', K.job(J), unpack(JOB_FIELDS))
  if not v[1] then job_cache[J] = false; return false end
  local c = call('HMGET', K.job_counts(J), 'usage', unpack(COUNTS))
  j = {
    number = J, id = v[1], queue = tonumber(v[2]), priority = tonumber(v[3]), state = v[4],
    turn = tonumber(v[5]), max_parallel = tonumber(v[6]), on_all = v[7], on_fail = v[8],
    offered = v[9] == '1', state_at = tonumber(v[10]), modified = tonumber(v[11]),
    agent = v[12], disable_option = v[13], uses_deps = v[14] == '1', max_retry = tonumber(v[15]), has_affinity = v[16] == '1',
    pace = tonumber(v[17] or 0), -- of its tasks, microseconds (lib/ahead.lua); 0: not known
    -- lib/picky.lua: whether tasks wait for a preparation task (wait) or run beside it (side), and the job manager task.
    prep = v[18] or '', manager = tonumber(v[19] or 0), manager_class = tonumber(v[20] or 0), held = v[21] == '1',
    dedicated_only = v[22] == '1', picky = v[23] == '1', stuck = v[24] == '1',
    used = c[1], counts = {}, -- lib/usage.lua: what its tasks used, packed
  }
  for i, name in ipairs(COUNTS) do j.counts[name] = tonumber(c[i + 1] or 0) end
  job_cache[J] = j
  return j
end

local function job_of(id)
  local J = call('HGET', K.job_ids(), string.lower(id))
  return J and job(tonumber(J))
end

-- Counts of the job as this script has changed them so far.
local function pending(j, name)
  local d = count_deltas[j.number]
  return j.counts[name] + (d and d[name] or 0)
end

-- What ended since the pool was made, for autoscale: the counts of a job go when it is deleted.
local function note_ended(j, d)
  for _, name in ipairs({'succeeded', 'failed'}) do
    if (d[name] or 0) > 0 then call('HINCRBY', K.queue(j.queue), name, d[name]) end
  end
end

local function flush_counts()
  for J, d in pairs(count_deltas) do
    local j, out = job(J), {}
    note_ended(j, d)
    for name, n in pairs(d) do
      if n ~= 0 then
        j.counts[name] = j.counts[name] + n
        out[#out + 1] = name
        out[#out + 1] = j.counts[name]
      end
    end
    if j.usage then
      out[#out + 1] = 'usage'
      out[#out + 1] = cmsgpack.pack(j.usage)
    end
    if #out > 0 then call('HSET', K.job_counts(J), unpack(out)) end
  end
  count_deltas = {}
end

local function set_job_state(j, state)
  if j.state == state then return end
  j.modified = changed(j.modified)
  call('HSET', K.job(j.number), 'previous', j.state, 'previous_at', j.state_at,
    'state', state, 'state_at', now, 'modified', j.modified)
  j.state, j.state_at = state, now
end

-- A job that has work beyond one script's measure (kill what runs, delete what
-- is left) is stepped by the engine until its state says it is over.
local function step_later(J) due('job:' .. J, now) end

local function end_job(j, state, reason)
  set_job_state(j, state)
  if reason then call('HSET', K.job(j.number), 'reason', reason) end
  step_later(j.number)
end

-- The refusal of a job that takes no more changes, or nil.
local function over(j)
  local CODE = {deleting = 'JobBeingDeleted', terminating = 'JobBeingTerminated', completed = 'JobCompleted'}
  return CODE[j.state] and refuse(CODE[j.state])
end

-- The job and task that the arguments name: j, T, t. Or nil and the refusal: there is none, or it
-- changed since the caller looked (a.expect, 0: never mind).
local function named_task()
  local j = job_of(a.job)
  if not j then return nil, refuse('JobNotFound') end
  local T = tonumber(call('HGET', K.task_ids(j.number), string.lower(a.task)))
  local t = T and task(j.number, T)
  if not t then return nil, refuse('TaskNotFound') end
  if a.expect ~= 0 and t[F.modified] ~= a.expect then return nil, refuse('Changed') end
  return j, T, t
end

-- spec/behaviour.md, 9: terminatejob acts when every task is completed, none at all included.
local function check_all_complete(j)
  if j.on_all == 'terminatejob' and j.state == 'active' and pending(j, 'running') == 0 and pending(j, 'active') == 0 then
    end_job(j, 'terminating', 'AllTasksComplete')
    return true
  end
  return false
end

-- How attempts end: completed, retried, requeued (spec/behaviour.md, 1.1, 3, 9).

local KILLED_EXIT = 137

-- exitOptions for an outcome (spec/behaviour.md, 9: exit condition lookup); exit is false when no process ran.
local function exit_options(J, T, t, phase, exit)
  if not has(t[F.flags], HAS_EXIT_CONDITIONS) then return nil end
  local c = cjson.decode(call('HGET', K.task_specs(J), T)).exitConditions
  if phase == 'pre' then return c.preProcessingError or c.default end
  if exit then
    for _, m in ipairs(c.exitCodes or {}) do
      if m.code == exit then return m.exitOptions end
    end
    for _, m in ipairs(c.exitCodeRanges or {}) do
      if m.start <= exit and exit <= m['end'] then return m.exitOptions end
    end
  end
  if phase == 'upload' then return c.fileUploadError or c.default end
  if exit ~= 0 then return c.default end
  return nil
end

local function act_on_job(j, action)
  if action == 'terminate' and (j.state == 'active' or j.state == 'disabling') then
    end_job(j, 'terminating', 'TaskFailed')
  elseif action == 'disable' and j.state == 'active' then
    j.disable_option = 'requeue'
    call('HSET', K.job(j.number), 'disable_option', 'requeue')
    set_job_state(j, 'disabling')
    step_later(j.number)
  end
  refresh_offer(j)
end

-- A job that is being wound down may have lost its last running task.
local function notice_last_task(j)
  if pending(j, 'running') == 0 and (j.state == 'terminating' or j.state == 'disabling' or j.state == 'deleting') then
    step_later(j.number)
  end
end

-- spec/behaviour.md, 8: killJobOnCompletion.
local function manager_ended(j)
  if j.state == 'terminating' or j.state == 'completed' or j.state == 'deleting' then return end
  if call('HGET', K.job(j.number), 'kill_with_manager') == '1' then end_job(j, 'terminating', 'JMComplete') end
  refresh_offer(j)
end

-- Ends a task for good. `e` has: age (how long ago, microseconds), exit (false: no process),
-- phase (nil | pre | run | upload | time | ended), category, code, message, details (JSON).
local function complete(j, T, t, e)
  local J = j.number
  if t[F.state] == ACTIVE and t[F.waiting] == 0 then unready(j, class_of(j, T, t), T) end
  if t[F.gang] and t[F.state] ~= ACTIVE then gangs.disband(J, T, t, e.phase == 'ended' and 'terminate' or 'requeue') end
  if T == j.manager and j.held then picky.manager_goes(j) end
  local ok = e.exit == 0 and not e.phase
  move(J, T, t, COMPLETED)
  t[F.ended] = math.max(now - (e.age or 0), t[F.started])
  t[F.exit] = e.exit
  t[F.result] = ok and SUCCESS or FAILURE
  count(J, ok and 'succeeded' or 'failed', 1, t[F.slots])
  if t[F.started] > 0 then
    local totals = usage.of(j)
    totals[usage.WAIT] = totals[usage.WAIT] + math.max(0, t[F.started] - t[F.created])
  end
  if e.phase then
    call('HSET', K.task_failures(J), T, cmsgpack.pack({e.phase, e.category, e.code, e.message, e.details or ''}))
  end
  local options = exit_options(J, T, t, e.phase, e.exit)
  local dependency = options and options.dependencyAction or (ok and 'satisfy' or 'block')
  if j.uses_deps and dependency == 'satisfy' then
    local id = cjson.decode(call('HGET', K.task_specs(J), T)).id
    satisfy(j, T, t, id)
  end
  -- A task that a user or an action ended is not an exit: job actions are for outcomes of its own.
  if e.phase ~= 'ended' and j.on_fail == 'performexitoptionsjobaction' and (not ok or options) then
    act_on_job(j, options and options.jobAction or (ok and 'none' or 'terminate'))
  end
  if T == j.manager then manager_ended(j) end
  notice_last_task(j)
end

-- The task waits again; `retry`: a retry of its own, else somebody else's doing.
local function put_back(j, T, t)
  if t[F.gang] then gangs.disband(j.number, T, t, 'requeue') end
  move(j.number, T, t, ACTIVE)
  if T == j.manager then picky.manager_waits(j) end
  refresh_offer(j)
  ready_tasks(j, class_of(j, T, t), {T})
  notice_last_task(j)
end

local function retry(j, T, t, exit)
  t[F.exit] = exit
  tell(j.number, T, t, 'exit', 'exit code ' .. exit .. ', retried')
  t[F.exit] = false
  t[F.retries], t[F.last_retry] = t[F.retries] + 1, now
  usage.of(j)[usage.RETRIES] = usage.of(j)[usage.RETRIES] + 1
  put_back(j, T, t)
end

-- A user's action (disable, resize, reboot, ...) takes the task off its node.
local function requeue(j, T, t, reason)
  tell(j.number, T, t, 'requeued', reason)
  t[F.requeues], t[F.last_requeue] = t[F.requeues] + 1, now
  put_back(j, T, t)
end

local function ended(reason)
  return {exit = KILLED_EXIT, phase = 'ended', category = 'UserError', code = 'TaskEnded', message = reason}
end

-- The node or its agent failed; the task is not to blame until it happens too often.
local function lose(j, T, t, reason)
  t[F.losses] = t[F.losses] + 1
  if t[F.losses] >= LOSS_LIMIT then
    return complete(j, T, t, {exit = false, phase = 'pre', category = 'UserError', code = 'MaxInternalRetryCountReached',
      message = 'The task was lost with its node ' .. t[F.losses] .. ' times; last: ' .. reason})
  end
  tell(j.number, T, t, 'requeued', reason)
  put_back(j, T, t)
end

-- Its node was preempted: neither the user's doing nor a failure of anything, so nothing is counted.
local function preempt(j, T, t, reason)
  tell(j.number, T, t, 'requeued', reason)
  put_back(j, T, t)
end

-- What becomes of a task whose attempt was taken away while its job may be winding down.
local function take_away(j, T, t, reason, how)
  if j.state == 'terminating' or j.state == 'deleting' then
    return complete(j, T, t, ended('The job was ' .. (j.state == 'deleting' and 'deleted' or 'terminated')))
  end
  if how == 'lost' then return lose(j, T, t, reason) end
  if how == 'preempted' then return preempt(j, T, t, reason) end
  if how == 'terminate' then return complete(j, T, t, ended(reason)) end
  return requeue(j, T, t, reason)
end

-- Is this the attempt that counts, on this node? It may wait there for a slot.
local function is_here(t, N, attempt)
  return t and t[F.state] ~= ACTIVE and t[F.state] ~= COMPLETED and t[F.attempt] == attempt
    and (t[F.node] == N or (t[F.gang] and gangs.index(t, N) ~= nil))
end

local function runs_here(t, N, attempt) return is_here(t, N, attempt) and t[F.state] ~= PREFETCHED end

-- A task that waited at its node runs, since `at`.
local function begin(j, T, t, at)
  move(j.number, T, t, RUNNING)
  t[F.started], t[F.state_at] = at, at
  -- Its job may have begun to wind down when this was on its way.
  if j.state ~= 'active' then step_later(j.number) end
end

-- Tasks of one size that waited at a node are ready again; they have not run, so their stories do not change.
local function put_aside(j, slots, numbers)
  for _, T in ipairs(numbers) do
    task(j.number, T)[F.state] = ACTIVE
    touch(j.number, T)
  end
  ready_tasks(j, slots, numbers)
  if j.state ~= 'active' then step_later(j.number) end
end

-- Takes everything off a node that is gone or starts anew. Its slots are free afterwards.
local function empty_node(n, reason, how)
  local queues = {}
  for _, h in ipairs(held(n.number)) do
    local J, T = h[1], h[2]
    local j = job(J)
    local t = j and task(J, T)
    if is_here(t, n.number, h[3]) then
      if t[F.gang] then gangs.leave(J, T, t, n.number, reason) end
      if t[F.state] == PREFETCHED then put_aside(j, t[F.slots], {T}) else take_away(j, T, t, reason, how) end
      queues[j.queue] = true
    end
    release(n, h)
  end
  n.recall = 0
  return queues
end

-- Ends what runs on a node but leaves the slots taken until the agent says it is over.
local function end_tasks_of(n, reason, how, only_job)
  local kill = {}
  for _, h in ipairs(held(n.number)) do
    local J, T, attempt = h[1], h[2], h[3]
    local j = (not only_job or only_job == J) and job(J)
    local t = j and task(J, T)
    if runs_here(t, n.number, attempt) then
      take_away(j, T, t, reason, how) -- a gang's nodes are told there
      if not t[F.gang] then kill[#kill + 1] = {J, T, attempt, how == 'terminate' and 'terminate' or 'requeue'} end
    end
  end
  if #kill > 0 then send(n, {kind = 'kill', tasks = kill}) end
end

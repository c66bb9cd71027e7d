-- Multi-instance tasks (spec/behaviour.md, 11): one attempt on several nodes at once, the first of them the primary.
-- Which nodes those are stands in the task's state (F.gang); how each instance goes, in task_gangs:
-- {attempt, {instance, ...}}. docs/decisions/017-multi-instance-tasks.md.

local gangs = {NODE = 1, STATE = 2, AT = 3, PREV = 4, PREV_AT = 5, STARTED = 6, ENDED = 7, EXIT = 8, RESULT = 9,
  FAILURE = 10, READY = 11}

-- Which instance the node is in the task's latest attempt, from 0; or nil.
function gangs.index(t, N)
  for i = 2, #t[F.gang] do
    if t[F.gang][i] == N then return i - 2 end
  end
end

-- The instances of an attempt; nil when a later one has begun.
function gangs.load(J, T, attempt)
  local raw = call('HGET', K.task_gangs(J), T)
  local g = raw and cmsgpack.unpack(raw)
  return g and g[1] == attempt and g[2] or nil
end

function gangs.save(J, T, attempt, instances) call('HSET', K.task_gangs(J), T, cmsgpack.pack({attempt, instances})) end

-- A new instance; `started` at once, or when its node is prepared for the job.
function gangs.instance(N, prepared) return {N, prepared and 'running' or 'preparing', now, '', 0, now, 0, false, '', false, false} end

function gangs.move(one, state)
  one[gangs.PREV], one[gangs.PREV_AT] = one[gangs.STATE], one[gangs.AT]
  one[gangs.STATE], one[gangs.AT] = state, now
end

-- The node is prepared. Is every node of the attempt?
function gangs.prepared(J, T, t, N)
  local instances, all = gangs.load(J, T, t[F.attempt]), true
  for _, one in ipairs(instances) do
    if one[gangs.NODE] == N and one[gangs.STATE] == 'preparing' then
      gangs.move(one, 'running')
      one[gangs.STARTED] = now
    end
    all = all and one[gangs.STATE] ~= 'preparing'
  end
  gangs.save(J, T, t[F.attempt], instances)
  return all
end

function gangs.go(J, T, t, instances)
  for _, one in ipairs(instances) do
    if not one[gangs.READY] then return end
  end
  send(node(t[F.node]), {kind = 'go', task = {J, T, t[F.attempt]}})
end

-- The coordination command of an instance has exited well; after the last one the primary begins. `exit` false: there is none.
function gangs.coordinated(J, T, t, N, exit)
  local instances = gangs.load(J, T, t[F.attempt])
  local one = instances[gangs.index(t, N) + 1]
  if one[gangs.READY] or one[gangs.STATE] == 'completed' then return end
  one[gangs.READY], one[gangs.EXIT] = true, exit
  gangs.save(J, T, t[F.attempt], instances)
  gangs.go(J, T, t, instances)
end

-- The primary may have missed that all others are ready.
function gangs.remind(J, T, t, N)
  local instances = t[F.node] == N and gangs.load(J, T, t[F.attempt])
  if instances then gangs.go(J, T, t, instances) end
end

-- Did the task end by itself, so that its subtasks have done their part?
function gangs.fulfilled(J, T, t)
  local raw = t[F.state] == COMPLETED and call('HGET', K.task_failures(J), T)
  return t[F.state] == COMPLETED and not (raw and cmsgpack.unpack(raw)[1] == 'ended')
end

-- An instance is over: `exit` (false: no process) and `fail` as an agent tells them. Nothing when it was before.
function gangs.over(J, T, t, N, attempt, age, exit, fail)
  local instances = gangs.load(J, T, attempt)
  for i, one in ipairs(instances or {}) do
    if one[gangs.NODE] == N and one[gangs.STATE] ~= 'completed' then
      gangs.move(one, 'completed')
      one[gangs.ENDED] = math.max(now - age, one[gangs.STARTED])
      if i > 1 and one[gangs.READY] and gangs.fulfilled(J, T, t) then
        one[gangs.RESULT] = 'success'
      else
        one[gangs.EXIT] = exit
        one[gangs.RESULT] = exit == 0 and not fail and 'success' or 'failure'
        one[gangs.FAILURE] = fail and {'', fail[2], fail[3], fail[4], fail[5] or ''} or false
      end
      gangs.save(J, T, attempt, instances)
    end
  end
end

-- The node has lost its instance, or never had it.
function gangs.leave(J, T, t, N, reason)
  gangs.over(J, T, t, N, t[F.attempt], 0, false, {'pre', 'ServerError', 'TaskEnded', reason})
end

-- What a subtask's end means for the task while that goes on: it has failed, whatever the exit code.
function gangs.blame(index, id, exit, fail)
  local who = 'subtask ' .. index .. ' on node ' .. id .. ': '
  if not fail and not exit then return nil end
  if not fail then
    if exit == 0 then return {'pre', 'ServerError', 'Unknown', who .. 'it ended before its task', ''} end
    return {'run', 'UserError', 'FailureExitCode', who .. 'exit code ' .. tostring(exit), ''}
  end
  return {fail[1], fail[2], fail[3], who .. fail[4], fail[5]}
end

-- The attempt is over: what still runs of it, on whichever node, ends.
function gangs.disband(J, T, t, why)
  for _, one in ipairs(gangs.load(J, T, t[F.attempt]) or {}) do
    local n = one[gangs.STATE] ~= 'completed' and node(one[gangs.NODE])
    if n then send(n, {kind = 'kill', tasks = {{J, T, t[F.attempt], why}}}) end
  end
end

-- The task is deleted: so are its directories on all of its nodes.
function gangs.delete(j, T, t, id)
  for i = 2, #t[F.gang] do
    local n = node(t[F.gang][i])
    if n and n.boot > 0 then
      if t[F.state] ~= ACTIVE and t[F.state] ~= COMPLETED then
        send(n, {kind = 'kill', tasks = {{j.number, T, t[F.attempt], 'delete'}}})
      end
      send(n, {kind = 'clean', dirs = {{j.number, j.id, T, id}}})
    end
  end
end

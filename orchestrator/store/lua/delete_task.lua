-- Deletes a task in any state; what runs is killed, its directory goes.
-- a: job (id), task (id), expect
-- returns {1, T}; refuses JobNotFound, TaskNotFound, Changed
local j, T, t = named_task()
if not j then return T end
local J = j.number
local spec = cjson.decode(call('HGET', K.task_specs(J), T))
local n = t[F.node] > 0 and not t[F.gang] and node(t[F.node])
if n and n.boot > 0 then
  if t[F.state] ~= ACTIVE and t[F.state] ~= COMPLETED then
    send(n, {kind = 'kill', tasks = {{J, T, t[F.attempt], 'delete'}}})
  end
  send(n, {kind = 'clean', dirs = {{J, j.id, T, spec.id}}})
end
if t[F.gang] then gangs.delete(j, T, t, spec.id) end
if t[F.state] == ACTIVE and t[F.waiting] == 0 then unready(j, class_of(j, T, t), T) end
if T == j.manager and j.held then picky.manager_goes(j) end
count(J, COUNTED[t[F.state]], -1, t[F.slots])
if t[F.result] ~= NO_RESULT then count(J, t[F.result] == SUCCESS and 'succeeded' or 'failed', -1, t[F.slots]) end
if t[F.result] ~= NO_RESULT then
  local totals, at = usage.of(j), usage.GONE[t[F.result]]
  totals[at] = totals[at] + 1
end
if has(t[F.flags], SATISFIED) then call('SADD', K.dep_gone(J), string.lower(spec.id)) end
if t[F.waiting] > 0 then orphan(J, spec) end
call('HDEL', K.task_ids(J), string.lower(spec.id))
call('HDEL', K.task_specs(J), T)
call('HDEL', K.task_states(J), T)
call('HDEL', K.task_failures(J), T)
call('HDEL', K.task_stories(J), T)
call('HDEL', K.task_containers(J), T)
call('HDEL', K.task_affinity(J), T)
if t[F.gang] then call('HDEL', K.task_gangs(J), T) end
forget_task(J, T)
notice_last_task(j)
finish({[j.queue] = true})
return done(T)

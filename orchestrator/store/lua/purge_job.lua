-- Deletes up to 250 tasks of a deleted job, then the job itself.
-- a: job
-- returns {1, over (0|1), J's id}; does nothing unless the job is deleting with nothing running
local j = job(a.job)
if not j then return done(1, '') end
if j.state ~= 'deleting' or pending(j, 'running') > 0 or waits_at_nodes(j) then return done(0, j.id) end
local J = j.number
-- Its nodes may still have to be released; the engine asks again then.
if j.prep ~= '' and call('HGET', K.job(J), 'wound_up') ~= '1' then return done(1, j.id) end
-- From where the last call ended: a scan that begins anew finds nothing in the part that was emptied, and would say so.
local scan = call('HSCAN', K.task_states(J), call('HGET', K.job(J), 'purged_to') or '0', 'COUNT', 250)
local numbers = {}
for i = 1, #scan[2], 2 do
  numbers[#numbers + 1] = scan[2][i]
  local t = cmsgpack.unpack(scan[2][i + 1])
  local spec = (t[F.waiting] > 0) and call('HGET', K.task_specs(J), scan[2][i])
  if spec then
    local ids, ranges = parents_of(cjson.decode(spec).dependsOn)
    for _, id in ipairs(ids) do forget_list(J, 'c', id) end
    for _, range in ipairs(ranges) do forget_list(J, 'r', range) end
  end
end
many('HDEL', K.task_states(J), numbers)
many('HDEL', K.task_specs(J), numbers)
if #numbers > 0 or call('EXISTS', K.task_states(J)) == 1 then
  call('HSET', K.job(J), 'purged_to', scan[1])
  return done(0, j.id)
end
local orphans = call('SPOP', K.dep_orphans(J), 250)
if #orphans > 0 then
  for _, list in ipairs(orphans) do forget_list(J, string.sub(list, 1, 1), string.sub(list, 3)) end
  return done(0, j.id)
end
-- Nothing of it is left here: its directories on the nodes go too.
local P = call('HGET', K.queue(j.queue), 'pool')
for _, N in ipairs(P and call('ZRANGE', K.pool_nodes(P), 0, -1) or {}) do
  local n = node(tonumber(N))
  if n and n.boot > 0 then send(n, {kind = 'clean', dirs = {{J, j.id, cjson.null, cjson.null}}}) end
end
flush_nodes()
making.job_over(J)
local S = tonumber(call('HGET', K.job(J), 'schedule') or 0)
charging.bequeath_job(j, S)
if S > 0 then
  call('ZREM', K.schedule_jobs(S), J)
  if call('HGET', K.schedule(S), 'state') == 'deleting' then due('schedule:' .. S, now) end
end
for _, slots in ipairs(classes(J)) do call('UNLINK', K.job_ready(J, slots)) end
call('HDEL', K.job_ids(), string.lower(j.id))
call('ZREM', K.jobs(), J)
call('ZREM', K.due(), 'job:' .. J, 'wall:' .. J)
call('UNLINK', K.job(J), K.job_counts(J), K.task_ids(J), K.task_specs(J), K.task_states(J), K.task_failures(J),
  K.task_stories(J), K.task_containers(J), K.task_affinity(J), K.task_gangs(J), K.job_classes(J), K.dep_gone(J), K.dep_runs(J), K.dep_run_ends(J),
  K.dep_ranges(J), K.dep_todo(J), K.dep_orphans(J), K.job_prep(J), K.job_release(J), K.job_barred(J))
call('SREM', K.queue_picky(j.queue), J)
set_yielding(J, j.queue, false)
forgetting.count_job(j.queue, -1)
forgetting.queue(j.queue)
forgetting.names()
return done(1, j.id)

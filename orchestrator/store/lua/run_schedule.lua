-- Does what is due of a job schedule, once: whoever decided saw `runs`, `last`, `modified`; if they changed, nothing is done.
-- a: schedule, expect (modified), runs, seen (last), last (occurrence used up, us), wake (us, 0: somebody will ring),
--    over, job (false, or what add_job.lua takes), shared (the pool of the job is the schedule's), quota
-- returns {1, what (unchanged | waits | job | quota | completed), J or 0}
local s = schedules.get(a.schedule)
if not s or s.state ~= 'active' or s.modified ~= a.expect or s.runs ~= a.runs or s.last ~= a.seen then
  return done('unchanged', 0)
end
if (a.job or a.over) and s.job > 0 then return done('unchanged', 0) end
local S = s.number
if a.over then
  schedules.complete(s)
  return done('completed', 0)
end
if a.job and making.over_quota(a.quota) then
  due('schedule:' .. S, now + 5000000)
  return done('quota', 0)
end
call('HSET', K.schedule(S), 'last', a.last)
if a.wake > 0 then due('schedule:' .. S, math.max(a.wake, now)) end
if not a.job then return done('waits', 0) end
local new = a.job
if a.shared and s.pool > 0 and call('HGET', K.pool(s.pool), 'state') == 'active' then
  new.pool, new.pool_id = false, call('HGET', K.pool(s.pool), 'id')
end
local J = making.job(new, S)
if a.shared and new.pool then
  -- The pool outlives the job: it is the schedule's.
  local P = call('HGET', K.job(J), 'own_pool')
  call('HSET', K.job(J), 'own_pool', 0)
  call('HSET', K.schedule(S), 'pool', P)
end
call('HSET', K.schedule(S), 'runs', s.runs + 1, 'recent', new.id, 'job', job(J).state == 'completed' and 0 or J)
if job(J).state == 'completed' then due('schedule:' .. S, now) end
if new.manager then finish({[job(J).queue] = true}) end
return done('job', J)

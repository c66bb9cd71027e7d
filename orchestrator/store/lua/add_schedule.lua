-- Adds a job schedule; the engine makes its jobs (run_schedule).
-- a: id, body, keep_pool, quota (active jobs and schedules)
-- returns {1, S}; refuses JobScheduleExists, JobScheduleBeingDeleted, JobWithSameIdExists,
--   ActiveJobAndScheduleQuotaReached
local key = string.lower(a.id)
local old = call('HGET', K.schedule_ids(), key)
if old then
  if call('HGET', K.schedule(old), 'state') == 'deleting' then return refuse('JobScheduleBeingDeleted') end
  return refuse('JobScheduleExists')
end
if call('HEXISTS', K.job_ids(), key) == 1 then return refuse('JobWithSameIdExists') end
if making.over_quota(a.quota) then return refuse('ActiveJobAndScheduleQuotaReached') end
local S = call('HINCRBY', K.seq(), 'schedule', 1)
call('HSET', K.schedule_ids(), key, S)
call('ZADD', K.schedules(), S, S)
call('HINCRBY', K.meta(), 'active_schedules', 1)
call('HSET', K.schedule(S), 'id', a.id, 'body', a.body, 'state', 'active', 'state_at', now, 'previous', '',
  'previous_at', 0, 'created', now, 'modified', now, 'ended', 0, 'last', 0, 'resumed', 0, 'runs', 0, 'job', 0,
  'recent', '', 'pool', 0, 'keep_pool', a.keep_pool and '1' or '0')
due('schedule:' .. S, now)
return done(S)

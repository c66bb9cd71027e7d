-- Adds a job.
-- a: id, body, agent (JSON of what agents need), pool_id, priority, max_parallel, uses_deps, on_all, on_fail,
--    max_retry, wall (us, 0: none), quota (active jobs and schedules),
--    pool (false, or what add_pool.lua takes: a pool of the job's own, named pool_id), keep_pool,
--    prep ('' | wait | side), rerun, release (its limit in us, or false), own_ids (JSON: lower-case ids of its preparation
--    and release tasks), manager (false, or id, spec, slots, max_retry, exclusive, dedicated, kill),
--    yields (its tasks give way to higher priorities)
-- returns {1, J}; refuses JobExists, JobBeingDeleted, JobScheduleWithSameIdExists, ActiveJobAndScheduleQuotaReached
local key = string.lower(a.id)
local old = call('HGET', K.job_ids(), key)
if old then
  if call('HGET', K.job(old), 'state') == 'deleting' then return refuse('JobBeingDeleted') end
  return refuse('JobExists')
end
if call('HEXISTS', K.schedule_ids(), key) == 1 then return refuse('JobScheduleWithSameIdExists') end
if making.over_quota(a.quota) then return refuse('ActiveJobAndScheduleQuotaReached') end
local J = making.job(a, 0)
if a.manager then finish({[job(J).queue] = true}) end
return done(J)

-- Terminates or deletes a job; the engine does the rest (step_job, purge_job).
-- a: id, to (terminating | deleting), reason, force (1: do not wait for release tasks), expect
-- returns {1, J}; refuses JobNotFound, JobBeing..., JobCompleted, Changed
local j = job_of(a.id)
if not j then return refuse('JobNotFound') end
if a.expect ~= 0 and j.modified ~= a.expect then return refuse('Changed') end
if j.state == 'deleting' then return refuse('JobBeingDeleted') end
if a.to == 'terminating' then
  if j.state == 'terminating' then return refuse('JobBeingTerminated') end
  if j.state == 'completed' then return refuse('JobCompleted') end
end
if a.to == 'deleting' and j.state ~= 'completed' then call('HINCRBY', K.meta(), 'active_jobs', -1) end
end_job(j, a.to, a.reason ~= '' and a.reason)
if a.force == 1 then call('HSET', K.job(j.number), 'forced', '1') end
refresh_offer(j)
return done(j.number)

-- Disables a job; the engine handles what runs (step_job).
-- a: id, option (requeue | terminate | wait), expect
-- returns {1, J}; refuses JobNotFound, JobBeing..., JobCompleted, Changed
local j = job_of(a.id)
if not j then return refuse('JobNotFound') end
if a.expect ~= 0 and j.modified ~= a.expect then return refuse('Changed') end
if over(j) then return over(j) end
call('HSET', K.job(j.number), 'disable_option', a.option)
set_job_state(j, 'disabling')
refresh_offer(j)
step_later(j.number)
return done(j.number)

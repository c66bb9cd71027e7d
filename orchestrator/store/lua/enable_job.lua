-- Enables a disabled job.
-- a: id, expect
-- returns {1, J}; refuses JobNotFound, JobBeing..., JobCompleted, OperationInvalidForCurrentState, Changed
local j = job_of(a.id)
if not j then return refuse('JobNotFound') end
if a.expect ~= 0 and j.modified ~= a.expect then return refuse('Changed') end
if over(j) then return over(j) end
if j.state ~= 'disabled' and j.state ~= 'disabling' then
  return refuse('OperationInvalidForCurrentState', 'The job is ' .. j.state)
end
set_job_state(j, 'active')
call('HSET', K.job(j.number), 'disable_option', '')
if not check_all_complete(j) then refresh_offer(j) end
finish({[j.queue] = true})
return done(j.number)

-- Enables or disables a job schedule. Jobs that came due while it was disabled are never made.
-- a: id, expect, to (active | disabled)
-- returns {1, S}; refuses JobScheduleNotFound, JobScheduleBeing..., JobScheduleCompleted, JobScheduleDisabled,
--   OperationInvalidForCurrentState, Changed
local s, refused = schedules.named()
if refused then return refused end
if s.state == a.to then
  if a.to == 'disabled' then return refuse('JobScheduleDisabled') end
  return refuse('OperationInvalidForCurrentState', 'The job schedule is active')
end
schedules.set_state(s, a.to)
if a.to == 'active' then call('HSET', K.schedule(s.number), 'resumed', now) end
due('schedule:' .. s.number, now)
return done(s.number)

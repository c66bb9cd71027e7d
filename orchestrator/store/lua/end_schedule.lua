-- Terminates or deletes a job schedule; the engine does the rest (step_schedule).
-- a: id, expect, to (terminating | deleting)
-- returns {1, S}; refuses JobScheduleNotFound, JobScheduleBeing..., JobScheduleCompleted, Changed
local s, refused = schedules.named()
if refused and (a.to == 'terminating' or not s or s.state == 'deleting') then return refused end
if a.to == 'deleting' and s.state ~= 'completed' then call('HINCRBY', K.meta(), 'active_schedules', -1) end
schedules.set_state(s, a.to)
local j = a.to == 'terminating' and s.job > 0 and job(s.job)
if j and j.state ~= 'terminating' and j.state ~= 'deleting' then
  end_job(j, 'terminating', 'TerminateJobSchedule')
  refresh_offer(j)
end
due('schedule:' .. s.number, now)
return done(s.number)

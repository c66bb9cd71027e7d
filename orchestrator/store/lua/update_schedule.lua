-- Replaces the body of a job schedule; later jobs are made by it.
-- a: id, expect, body, keep_pool
-- returns {1, S}; refuses JobScheduleNotFound, JobScheduleBeing..., JobScheduleCompleted, Changed
local s, refused = schedules.named()
if refused then return refused end
call('HSET', K.schedule(s.number), 'body', a.body, 'keep_pool', a.keep_pool and '1' or '0',
  'modified', changed(s.modified))
due('schedule:' .. s.number, now)
return done(s.number)

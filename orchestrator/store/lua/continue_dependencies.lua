-- Goes on with dependency work that one script could not finish.
-- a: job
-- returns {1, left (0|1)}
local j = job(a.job)
if not j then
  return done(0)
end
work_todo(j)
finish({[j.queue] = true})
return done(call('EXISTS', K.dep_todo(a.job)))

-- Runs the scheduler of a queue, after a full budget or to be sure.
-- a: queue (number)
-- returns {1, assigned}
local n = schedule(a.queue)
flush_nodes()
flush_tasks()
flush_counts()
return done(n)

-- Replaces the constraints of a task.
-- a: job (id), task (id), spec (JSON), max_retry (-2: the job's), retention (us),
--    expect
-- returns {1, T}; refuses JobNotFound, TaskNotFound, TaskCompleted, Changed
local j, T, t = named_task()
if not j then return T end
if t[F.state] == COMPLETED then return refuse('TaskCompleted') end
t[F.max_retry] = a.max_retry
t[F.modified] = changed(t[F.modified])
touch(j.number, T)
call('HSET', K.task_specs(j.number), T, a.spec)
local n = t[F.state] ~= ACTIVE and node(t[F.node])
-- An attempt that waits at its node goes by what it was told: it comes back.
if n and t[F.state] == PREFETCHED then recall(n) end
if n then send(n, {kind = 'keep', J = j.number, T = T, retention_us = a.retention}) end
finish({})
return done(T)

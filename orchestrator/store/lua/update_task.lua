-- Replaces the constraints of a task.
-- a: job (id), task (id), spec (JSON), max_retry (-2: the job's), retention (us), expect
-- returns {1, T}; refuses JobNotFound, TaskNotFound, TaskCompleted, Changed
local j = job_of(a.job)
if not j then return refuse('JobNotFound') end
local T = tonumber(call('HGET', K.task_ids(j.number), string.lower(a.task)))
local t = T and task(j.number, T)
if not t then return refuse('TaskNotFound') end
if a.expect ~= 0 and t[F.modified] ~= a.expect then return refuse('Changed') end
if t[F.state] == COMPLETED then return refuse('TaskCompleted') end
t[F.max_retry] = a.max_retry
t[F.modified] = changed(t[F.modified])
touch(j.number, T)
call('HSET', K.task_specs(j.number), T, a.spec)
finish({})
return done(T)

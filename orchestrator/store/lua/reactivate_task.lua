-- Makes a failed task run again.
-- a: job (id), task (id), expect
-- returns {1, T}; refuses JobNotFound, TaskNotFound, TaskNotCompleted, TaskSucceeded, JobBeing..., JobCompleted, Changed
local j = job_of(a.job)
if not j then return refuse('JobNotFound') end
local J = j.number
local T = tonumber(call('HGET', K.task_ids(J), string.lower(a.task)))
local t = T and task(J, T)
if not t then return refuse('TaskNotFound') end
if a.expect ~= 0 and t[F.modified] ~= a.expect then return refuse('Changed') end
if t[F.state] ~= COMPLETED then return refuse('TaskNotCompleted') end
if t[F.result] == SUCCESS then return refuse('TaskSucceeded') end
local OVER = {deleting = 'JobBeingDeleted', terminating = 'JobBeingTerminated', completed = 'JobCompleted'}
if OVER[j.state] then return refuse(OVER[j.state]) end
tell(J, T, t, 'exit', 'failed, reactivated by a user')
count(J, 'failed', -1, t[F.slots])
move(J, T, t, ACTIVE)
t[F.retries], t[F.last_retry], t[F.losses], t[F.exit], t[F.result], t[F.ended] = 0, 0, 0, false, NO_RESULT, 0
t[F.modified] = changed(t[F.modified])
call('HDEL', K.task_failures(J), T)
if t[F.waiting] == 0 then ready_tasks(j, t[F.slots], {T}) end
finish({[j.queue] = true})
return done(T)

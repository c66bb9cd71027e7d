-- Makes a failed task run again.
-- a: job (id), task (id), expect
-- returns {1, T}; refuses JobNotFound, TaskNotFound, TaskNotCompleted, TaskSucceeded, JobBeing..., JobCompleted, Changed
local j, T, t = named_task()
if not j then return T end
local J = j.number
if t[F.state] ~= COMPLETED then return refuse('TaskNotCompleted') end
if t[F.result] == SUCCESS then return refuse('TaskSucceeded') end
if over(j) then return over(j) end
tell(J, T, t, 'exit', 'failed, reactivated by a user')
count(J, 'failed', -1, t[F.slots])
move(J, T, t, ACTIVE)
t[F.retries], t[F.last_retry], t[F.losses], t[F.exit], t[F.result], t[F.ended] = 0, 0, 0, false, NO_RESULT, 0
t[F.modified] = changed(t[F.modified])
call('HDEL', K.task_failures(J), T)
if T == j.manager then picky.manager_waits(j) end
if t[F.waiting] == 0 then ready_tasks(j, class_of(j, T, t), {T}) end
finish({[j.queue] = true})
return done(T)

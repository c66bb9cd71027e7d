-- Ends a task at once; what still runs of it is killed.
-- a: job (id), task (id), expect
-- returns {1, T}; refuses JobNotFound, TaskNotFound, TaskCompleted, Changed
local j = job_of(a.job)
if not j then return refuse('JobNotFound') end
local T = tonumber(call('HGET', K.task_ids(j.number), string.lower(a.task)))
local t = T and task(j.number, T)
if not t then return refuse('TaskNotFound') end
if a.expect ~= 0 and t[F.modified] ~= a.expect then return refuse('Changed') end
if t[F.state] == COMPLETED then return refuse('TaskCompleted') end
local running = t[F.state] ~= ACTIVE
if running then
  local n = node(t[F.node])
  if n then send(n, {kind = 'kill', tasks = {{j.number, T, t[F.attempt], 'terminate'}}}) end
end
local how = ended('The task was terminated by a user')
if not running then how.exit = false end
complete(j, T, t, how)
finish({[j.queue] = true})
return done(T)

-- Ends a task at once; what still runs of it is killed.
-- a: job (id), task (id), expect
-- returns {1, T}; refuses JobNotFound, TaskNotFound, TaskCompleted, Changed
local j, T, t = named_task()
if not j then return T end
if t[F.state] == COMPLETED then return refuse('TaskCompleted') end
local running = t[F.state] ~= ACTIVE
if running then
  local n = node(t[F.node])
  if n and not t[F.gang] then send(n, {kind = 'kill', tasks = {{j.number, T, t[F.attempt], 'terminate'}}}) end
end
local how = ended('The task was terminated by a user')
if not running or t[F.state] == PREFETCHED then how.exit = false end
complete(j, T, t, how)
finish({[j.queue] = true})
return done(T)

-- Winds a job down: ends what runs on the next 20 nodes, and closes the job when nothing runs.
-- a: job, after (node number, 0 at first)
-- returns {1, next node number or 0 when all were visited, state, what is left: tasks that run or wait at nodes, release tasks}
local j = job(a.job)
if not j then return done(0, 'gone', 0) end
if j.state ~= 'disabling' and j.state ~= 'terminating' and j.state ~= 'deleting' then
  return done(0, j.state, pending(j, 'running'))
end
local following = 0
local P = call('HGET', K.queue(j.queue), 'pool')
local option = j.state == 'disabling' and j.disable_option or 'terminate'
if P and option ~= 'wait' and pending(j, 'running') > 0 then
  local nodes = call('ZRANGEBYSCORE', K.pool_nodes(P), '(' .. a.after, '+inf', 'LIMIT', 0, 20)
  for _, N in ipairs(nodes) do
    local n = node(tonumber(N))
    if n then end_tasks_of(n, 'the job is ' .. j.state, option, j.number) end
  end
  if #nodes == 20 then following = tonumber(nodes[20]) end
end
local waits = waits_at_nodes(j)
if following == 0 and pending(j, 'running') == 0 and not waits then
  if j.state == 'disabling' then
    set_job_state(j, 'disabled')
  elseif not preparing.wound_up(j) and call('HGET', K.job(j.number), 'forced') ~= '1' then
    waits = true -- for release tasks; they were asked for also where nobody waits
  elseif j.state == 'deleting' then
    call('HSET', K.job(j.number), 'wound_up', '1')
  else
    set_job_state(j, 'completed')
    call('HSET', K.job(j.number), 'ended', now)
    call('HINCRBY', K.meta(), 'active_jobs', -1)
    making.job_over(j.number)
  end
end
-- Asked again until it is purged: the worker that was asked may die or fail.
if j.state == 'deleting' then due('job:' .. j.number, now + 15000000) end
finish({[j.queue] = true})
return done(following, j.state, pending(j, 'running') + (waits and 1 or 0))

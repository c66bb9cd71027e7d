-- Replaces what may change of a job.
-- a: id, expect, body, agent, pool_id, priority, max_parallel, on_all, max_retry, wall (us, 0: none),
--    yields (its tasks give way to higher priorities), keep_pool (0 | 1, false: as it is)
-- returns {1, J}; refuses JobNotFound, JobBeing..., JobCompleted, OperationInvalidForCurrentState, Changed
local j = job_of(a.id)
if not j then return refuse('JobNotFound') end
if a.expect ~= 0 and j.modified ~= a.expect then return refuse('Changed') end
if over(j) then return over(j) end
local J = j.number
local old_queue = j.queue
local pool_id = call('HGET', K.job(J), 'pool_id')
if string.lower(a.pool_id) ~= string.lower(pool_id) and j.state ~= 'disabled' then
  return refuse('OperationInvalidForCurrentState', 'poolInfo can be changed only while the job is disabled')
end
local offered = j.offered
set_offered(j, false)
j.queue, j.priority, j.max_parallel, j.on_all = queue_number(a.pool_id), a.priority, a.max_parallel, a.on_all
if j.queue ~= old_queue then call('SREM', K.queue_picky(old_queue), J) end
if j.queue ~= old_queue then set_yielding(J, old_queue, false) end
set_yielding(J, j.queue, a.yields)
if j.queue ~= old_queue then j.turn = tonumber(call('HGET', K.queue(j.queue), 'turn') or 0) end
j.modified = changed(j.modified)
call('HSET', K.job(J), 'body', a.body, 'agent', a.agent, 'pool_id', a.pool_id, 'queue', j.queue, 'turn', j.turn,
  'priority', a.priority, 'max_parallel', a.max_parallel, 'on_all', a.on_all, 'max_retry', a.max_retry,
  'wall', a.wall, 'modified', j.modified)
if a.keep_pool then call('HSET', K.job(J), 'keep_pool', a.keep_pool) end
call('ZREM', K.due(), 'wall:' .. J)
if a.wall > 0 then due('wall:' .. J, tonumber(call('HGET', K.job(J), 'created')) + a.wall) end
if j.held then picky.manager_waits(j) else picky.settle(j) end
check_all_complete(j)
refresh_offer(j)
finish({[j.queue] = true, [old_queue] = true})
if j.queue ~= old_queue then
  forgetting.count_job(old_queue, -1)
  forgetting.count_job(j.queue, 1)
  forgetting.queue(old_queue)
end
return done(J)

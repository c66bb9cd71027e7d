-- Adds a job.
-- a: id, body, agent (JSON of what agents need), pool_id, priority, max_parallel, uses_deps, on_all, on_fail,
--    max_retry, wall (us, 0: none), quota (active jobs)
-- returns {1, J}; refuses JobExists, JobBeingDeleted, ActiveJobAndScheduleQuotaReached
local key = string.lower(a.id)
local old = call('HGET', K.job_ids(), key)
if old then
  if call('HGET', K.job(old), 'state') == 'deleting' then return refuse('JobBeingDeleted') end
  return refuse('JobExists')
end
local active = tonumber(call('HGET', K.meta(), 'active_jobs') or 0)
if active >= a.quota then return refuse('ActiveJobAndScheduleQuotaReached') end
local J = call('HINCRBY', K.seq(), 'job', 1)
local Q = queue_number(a.pool_id)
call('HSET', K.job_ids(), key, J)
call('ZADD', K.jobs(), J, J)
call('HINCRBY', K.meta(), 'active_jobs', 1)
call('HSET', K.job(J), 'id', a.id, 'body', a.body, 'agent', a.agent, 'queue', Q, 'pool_id', a.pool_id,
  'priority', a.priority, 'max_parallel', a.max_parallel, 'uses_deps', a.uses_deps and '1' or '0',
  'on_all', a.on_all, 'on_fail', a.on_fail, 'max_retry', a.max_retry, 'wall', a.wall,
  'state', 'active', 'state_at', now, 'previous', '', 'previous_at', 0, 'created', now, 'modified', now,
  'turn', call('HGET', K.queue(Q), 'turn') or 0, 'offered', '1', 'started', now, 'ended', 0, 'reason', '',
  'next', 0, 'disable_option', '')
if a.wall > 0 then due('wall:' .. J, now + a.wall) end
check_all_complete(job(J))
refresh_offer(job(J))
return done(J)

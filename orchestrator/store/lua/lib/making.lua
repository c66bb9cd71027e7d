-- Pools and jobs as they are made: by a call, by a schedule, or by a job that wants a pool of its own.
-- What refuses is asked first and apart: a script decides before it writes.

local making = {}

-- A quota: what an owner has set, else what the caller's settings say.
function making.quota(name, given) return tonumber(call('HGET', K.quotas(), name) or given) end

-- Why a pool of this id cannot be made now, and what of it, or nil; `quota`: pools of the account.
function making.pool_refusal(id, quota, references)
  local old = call('HGET', K.pool_ids(), string.lower(id))
  if old then
    return call('HGET', K.pool(old), 'state') == 'deleting' and 'PoolBeingDeleted' or 'PoolExists'
  end
  if call('ZCARD', K.pools()) >= making.quota('pools', quota) then return 'PoolQuotaReached' end
  local missing = references and certificates.missing(references)
  if missing then return 'InvalidCertificateReferences', 'there is no active certificate ' .. missing end
end

-- Makes a pool; `a` as in add_pool.lua, and `auto`: what made it (job, schedule), absent: a call. Returns P.
function making.pool(a)
  local P = call('HINCRBY', K.seq(), 'pool', 1)
  local Q = queue_number(a.id)
  local resizing = a.dedicated + a.low > 0
  call('HSET', K.pool_ids(), string.lower(a.id), P)
  call('ZADD', K.pools(), P, P)
  call('HSET', K.pool(P), 'id', a.id, 'queue', Q, 'body', a.body, 'vm_size', a.vm_size, 'slots', a.slots, 'fill', a.fill,
    'state', 'active', 'state_at', now, 'allocation', resizing and 'resizing' or 'steady', 'allocation_at', now,
    'created', now, 'modified', now, 'target_dedicated', a.dedicated, 'target_low', a.low,
    'resize_timeout', a.timeout, 'resize_until', now + a.timeout, 'deallocation', 'requeue', 'resize_errors', '[]',
    'nodes_made', 0, 'scale_interval', 0)
  if a.certificates then
    call('HSET', K.pool(P), 'certificates', a.certificates)
    certificates.hold('p' .. P, '', a.certificates)
  end
  call('HSET', K.queue(Q), 'pool', P)
  picky.pool_made(Q)
  if resizing then due('pool:' .. P, now) end
  if (a.scale_interval or 0) > 0 then scaling.begin(P, Q, a.scale_interval) end
  return P
end

-- Begins the end of a pool: its nodes leave, then it is forgotten (forget_pool).
function making.end_pool(P)
  call('HSET', K.pool(P), 'state', 'deleting', 'state_at', now, 'modified', changed(call('HGET', K.pool(P), 'modified')),
    'target_dedicated', 0, 'target_low', 0, 'deallocation', 'requeue', 'allocation', 'resizing', 'allocation_at', now)
  due('pool:' .. P, now)
end

-- Makes a job; `a` as in add_job.lua, `schedule` S or 0. A pool of its own that cannot be made completes it at once. Returns J.
function making.job(a, schedule)
  local J = call('HINCRBY', K.seq(), 'job', 1)
  local own, trouble = 0, ''
  if a.pool then
    local code = making.pool_refusal(a.pool.id, a.pool.quota, a.pool.certificates)
    if code then trouble = making.trouble(code) else own = making.pool(a.pool) end
  end
  local Q = queue_number(a.pool_id)
  call('HSET', K.job_ids(), string.lower(a.id), J)
  call('ZADD', K.jobs(), J, J)
  call('HSET', K.job(J), 'id', a.id, 'body', a.body, 'agent', a.agent, 'queue', Q, 'pool_id', a.pool_id,
    'priority', a.priority, 'max_parallel', a.max_parallel, 'uses_deps', a.uses_deps and '1' or '0',
    'on_all', a.on_all, 'on_fail', a.on_fail, 'max_retry', a.max_retry, 'wall', a.wall,
    'state', trouble == '' and 'active' or 'completed', 'state_at', now, 'previous', '', 'previous_at', 0,
    'created', now, 'modified', now, 'turn', call('HGET', K.queue(Q), 'turn') or 0, 'offered', '1', 'started', now,
    'ended', trouble == '' and 0 or now, 'reason', '', 'next', 0, 'disable_option', '',
    'schedule', schedule, 'own_pool', own, 'keep_pool', a.keep_pool and '1' or '0', 'trouble', trouble,
    'prep', a.prep, 'rerun', a.rerun and '1' or '0', 'release', a.release or '', 'own_ids', a.own_ids)
  forgetting.count_job(Q, 1)
  if schedule > 0 then call('ZADD', K.schedule_jobs(schedule), J, J) end
  if a.yields then set_yielding(J, Q, true) end
  if trouble == '' then
    call('HINCRBY', K.meta(), 'active_jobs', 1)
    if a.wall > 0 then due('wall:' .. J, now + a.wall) end
    if a.manager then making.manager(job(J), a.manager) end
    check_all_complete(job(J))
  end
  refresh_offer(job(J))
  return J
end

-- The job manager task: the first of its job (spec/behaviour.md, 8). `m` as in add_job.lua.
function making.manager(j, m)
  local J, flags = j.number, 0
  call('HSET', K.job(J), 'next', 1, 'manager', 1, 'manager_slots', m.slots, 'exclusive', m.exclusive and '1' or '0',
    'dedicated_only', m.dedicated and '1' or '0', 'kill_with_manager', m.kill and '1' or '0')
  call('HSET', K.task_ids(J), string.lower(m.id), 1)
  call('HSET', K.task_specs(J), 1, m.spec)
  call('HSET', K.task_states(J), 1, cmsgpack.pack({ACTIVE, now, -1, 0, 0, 0, 0, 0, 0, 0, false, NO_RESULT, m.slots,
    m.max_retry, now, now, 0, flags, 0, 0, 0}))
  count(J, 'active', 1, m.slots)
  j.manager, j.dedicated_only = 1, m.dedicated
  picky.manager_waits(j)
  ready_tasks(j, j.manager_class, {1})
end

-- Wire JobSchedulingError for a pool that could not be made (spec/api.md, 4.2).
function making.trouble(code)
  if code == 'PoolQuotaReached' then
    return cjson.encode({category = 'UserError', code = 'AutoPoolCreationFailedWithQuotaReached',
      message = 'The auto pool could not be made: the pool quota of the account is reached'})
  end
  if code == 'InvalidCertificateReferences' then
    return cjson.encode({category = 'UserError', code = 'InvalidCertificatesInAutoPool',
      message = 'The auto pool could not be made: it refers to a certificate that is not there, or not active'})
  end
  return cjson.encode({category = 'UserError', code = 'InvalidAutoPoolSettings',
    message = 'The auto pool could not be made: ' .. code})
end

-- Active jobs and schedules count together.
function making.over_quota(quota)
  local v = call('HMGET', K.meta(), 'active_jobs', 'active_schedules')
  return tonumber(v[1] or 0) + tonumber(v[2] or 0) >= making.quota('jobs', quota)
end

-- What a job leaves behind when it is completed or gone: its own pool, and the schedule that waits for it.
function making.job_over(J)
  local v = call('HMGET', K.job(J), 'own_pool', 'keep_pool', 'schedule')
  local P, S = tonumber(v[1] or 0), tonumber(v[3] or 0)
  if P > 0 and v[2] ~= '1' and call('HGET', K.pool(P), 'state') == 'active' then making.end_pool(P) end
  if S > 0 and tonumber(call('HGET', K.schedule(S), 'job')) == J then
    call('HSET', K.schedule(S), 'job', 0)
    due('schedule:' .. S, now)
  end
end

-- Job schedules: what the scripts about them share.

local schedules = {fields = {'id', 'state', 'state_at', 'modified', 'job', 'pool', 'keep_pool', 'last', 'runs'}}

function schedules.get(S)
  local v = call('HMGET', K.schedule(S), unpack(schedules.fields))
  if not v[1] then return nil end
  return {number = S, id = v[1], state = v[2], state_at = tonumber(v[3]), modified = tonumber(v[4]),
    job = tonumber(v[5]), pool = tonumber(v[6]), keep_pool = v[7] == '1', last = tonumber(v[8]), runs = tonumber(v[9])}
end

-- The schedule that the arguments name; or nil and the refusal: there is none, it changed, or it takes no more changes.
function schedules.named()
  local S = call('HGET', K.schedule_ids(), string.lower(a.id))
  local s = S and schedules.get(tonumber(S))
  if not s then return nil, refuse('JobScheduleNotFound') end
  if a.expect ~= 0 and s.modified ~= a.expect then return nil, refuse('Changed') end
  local CODE = {deleting = 'JobScheduleBeingDeleted', terminating = 'JobScheduleBeingTerminated',
    completed = 'JobScheduleCompleted'}
  return s, CODE[s.state] and refuse(CODE[s.state])
end

function schedules.set_state(s, state)
  s.modified = changed(s.modified)
  call('HSET', K.schedule(s.number), 'previous', s.state, 'previous_at', s.state_at, 'state', state, 'state_at', now,
    'modified', s.modified)
  s.state, s.state_at = state, now
end

-- No further job: the pool that its jobs shared goes, too.
function schedules.complete(s)
  schedules.set_state(s, 'completed')
  call('HSET', K.schedule(s.number), 'ended', now)
  call('HINCRBY', K.meta(), 'active_schedules', -1)
  schedules.end_pool(s)
end

function schedules.end_pool(s)
  if s.pool > 0 and not s.keep_pool and call('HGET', K.pool(s.pool), 'state') == 'active' then making.end_pool(s.pool) end
end

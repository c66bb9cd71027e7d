-- What nodes are there for, and what of jobs and pools outlives them: docs/decisions/019. Off the hot path: nodes are
-- charged when they are looked at (charge_pool), start again, or go.

-- A node costs nothing while it is asleep; usage intervals are kept for half a year.
local charging = {ASLEEP = {deallocated = true, preempted = true}, KEEP = 180 * 86400 * 1000000,
  TOTALS = {'wall', 'user', 'kernel', 'reads', 'writes', 'read_bytes', 'written_bytes', 'wait', 'retries', 'succeeded',
    'failed'},
  SUMS = {'nodes', 'cpu', 'memory', 'disk', 'reads', 'writes', 'read_bytes', 'written_bytes', 'received', 'sent'},
  PEAKS = {'memory_peak', 'disk_peak'}}

-- Length of a usage interval, us.
function charging.length() return tonumber(call('HGET', K.meta(), 'usage_length') or 1800000000) end

-- One figure of the interval that begins at `start`; the oldest intervals are forgotten.
function charging.note(start, length, name, figure)
  start = digits(start)
  if call('ZADD', K.usage_intervals(), 'NX', start, start) == 1 then
    call('HSET', K.usage(start), 'length', digits(length))
    local old = call('ZRANGEBYSCORE', K.usage_intervals(), '-inf', digits(now - charging.KEEP), 'LIMIT', 0, 10)
    for _, interval in ipairs(old) do
      call('ZREM', K.usage_intervals(), interval)
      call('UNLINK', K.usage(interval))
    end
  end
  call('HINCRBY', K.usage(start), name, digits(figure))
end

-- Whose figure it is: pool, vmSize and pool id, for pools that are gone by the time somebody asks.
function charging.name(P, what)
  local v = call('HMGET', K.pool(P), 'vm_size', 'id')
  return P .. '|' .. what .. '|' .. v[1] .. '|' .. v[2]
end

-- Adds the time since a node was last looked at to its pool, and to the intervals in which it lies: `budget` of them at
-- most. Returns what is left of that; 0: ask again.
function charging.node(N, length, budget)
  local v = call('HMGET', K.node(N), 'charged', 'allocated_at', 'state', 'state_at', 'pool', 'dedicated')
  if not v[5] then return budget end
  local from, upto = tonumber(v[1] or v[2]), now
  if charging.ASLEEP[v[3]] then upto = math.min(now, math.max(from, tonumber(v[4]))) end
  local at, name = from, charging.name(v[5], v[6])
  while at < upto and budget > 0 do
    local start = math.floor(at / length) * length
    local stop = math.min(upto, start + length)
    charging.note(start, length, name, stop - at)
    at, budget = stop, budget - 1
  end
  if at > from then call('HINCRBY', K.pool_stats(v[5]), 'time_' .. v[6], digits(at - from)) end
  call('HSET', K.node(N), 'charged', digits(at < upto and at or math.max(from, now)))
  return budget
end

-- Adds what was measured (sums over the nodes of a pool, and what was most) to what was there.
function charging.add(key, found)
  for _, name in ipairs(charging.SUMS) do
    if (found[name] or 0) ~= 0 then call('HINCRBYFLOAT', key, name, found[name]) end
  end
  for _, name in ipairs(charging.PEAKS) do
    if (found[name] or 0) > tonumber(call('HGET', key, name) or 0) then call('HSET', key, name, found[name]) end
  end
end

-- The job is gone: its totals go to those of the account, and of its schedule.
function charging.bequeath_job(j, S)
  local totals = usage.of(j)
  totals[10], totals[11] = totals[10] + j.counts.succeeded, totals[11] + j.counts.failed
  count_deltas[j.number] = nil
  local alive = S > 0 and call('EXISTS', K.schedule(S)) == 1
  for i, name in ipairs(charging.TOTALS) do
    if totals[i] ~= 0 then
      call('HINCRBY', K.lifetime_jobs(), name, digits(totals[i]))
      if alive then call('HINCRBY', K.schedule(S), 'used_' .. name, digits(totals[i])) end
    end
  end
end

-- The pool is gone: what it was, the account was.
function charging.bequeath_pool(P)
  local raw, found = call('HGETALL', K.pool_stats(P)), {}
  for i = 1, #raw, 2 do found[raw[i]] = tonumber(raw[i + 1]) end
  charging.add(K.lifetime_pools(), found)
  for _, kind in ipairs({'1', '0'}) do
    local time = found['time_' .. kind]
    if time then
      call('HINCRBY', K.lifetime_pools(), 'time_' .. kind .. '|' .. call('HGET', K.pool(P), 'vm_size'), digits(time))
    end
  end
  call('UNLINK', K.pool_stats(P))
end

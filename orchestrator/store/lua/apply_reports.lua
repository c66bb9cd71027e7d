-- Applies what one boot of a node reported: many results, one step.
-- Reports are claims: the node is taken from the list's name, and a result counts
-- only for the attempt that this node was given. The list is trimmed last.
-- a: node, boot, limit (messages)
-- returns {1, items applied, more (0|1), node state}; rings for this node again when there is more
local N, B = a.node, a.boot
local key = K.events(N, B)
local n = node(N)
if not n or n.boot ~= B then
  call('UNLINK', key)
  return done(0, 0, 'gone')
end

local function set_aside(raw, why)
  call('LPUSH', K.bad_reports(), cmsgpack.pack({N, B, now, why, string.sub(raw, 1, 4096)}))
  call('LTRIM', K.bad_reports(), 0, 99)
end

-- What a node says is kept, but not at any length.
local function short(text, most) return string.sub(text, 1, most or 2000) end

local function is_count(v) return type(v) == 'number' and v >= 0 and v < 2 ^ 53 and v == math.floor(v) end
local function is_attempt(i) return is_count(i[2]) and is_count(i[3]) and is_count(i[4]) end
local VALID
do -- a script has room for 200 local names
local function are_attempts(list)
  if type(list) ~= 'table' or #list > 500 then return false end
  for _, h in ipairs(list) do
    if type(h) ~= 'table' or not (is_count(h[1]) and is_count(h[2]) and is_count(h[3])) then return false end
  end
  return true
end
local function is_failure(f)
  return f == nil or f == false or (type(f) == 'table' and type(f[1]) == 'string' and type(f[2]) == 'string'
    and type(f[3]) == 'string' and type(f[4]) == 'string')
end
-- Progress of a start, preparation or release task, as JSON.
local function is_info(text)
  local good, info = pcall(cjson.decode, type(text) == 'string' and text or '')
  return good and type(info) == 'table' and #text <= 65536
end
VALID = {
  ['end'] = function(i)
    return is_attempt(i) and is_count(i[5]) and is_failure(i[7])
      and (i[6] == nil or i[6] == false
        or (type(i[6]) == 'number' and i[6] == math.floor(i[6]) and math.abs(i[6]) < 2 ^ 32))
  end,
  back = is_attempt,
  coordinated = function(i) return is_attempt(i) and (not i[5] or i[5] == 0) end,
  note = function(i) return is_attempt(i) and type(i[5]) == 'string' end,
  container = function(i) return is_attempt(i) and type(i[5]) == 'string' and #i[5] <= 8192 end,
  up = function(i) return type(i[2]) == 'table' end,
  start = function(i) return is_info(i[2]) end,
  prep = function(i) return is_count(i[2]) and is_info(i[3]) end,
  release = function(i) return is_count(i[2]) and is_info(i[3]) end,
  ready = function() return true end,
  bare = function() return true end,
  begun = function(i) return are_attempts(i[2]) end,
  unstarted = function(i) return are_attempts(i[2]) end,
  hold = function(i) return is_count(i[2]) and type(i[3]) == 'table' end,
  bad = function(i) return type(i[2]) == 'string' and type(i[3]) == 'string' end,
}
end

local function named(J, T, attempt) return J .. '.' .. T .. '.' .. attempt end

-- Read first: which items there are, and the states and holds they are about.
-- A message holds up to 500 items; once that many are taken, the rest waits for the next call.
local raws = call('LRANGE', key, 0, a.limit - 1)
local items, wanted, names, whole, entries, taken = {}, {}, {}, false, 0, 0
local read
do
local function want(J, T, attempt)
  wanted[J] = wanted[J] or {}
  table.insert(wanted[J], T)
  names[#names + 1] = named(J, T, attempt)
end
function read(item)
  items[#items + 1] = item
  entries = entries + 1
  if item[1] == 'begun' or item[1] == 'unstarted' then
    entries = entries + #item[2]
    for _, h in ipairs(item[2]) do want(h[1], h[2], h[3]) end
  elseif item[1] == 'hold' then
    whole = true
  elseif is_attempt(item) then
    want(item[2], item[3], item[4])
  end
end
end
for _, raw in ipairs(raws) do
  if entries >= 500 then break end
  taken = taken + 1
  local good, message = pcall(cmsgpack.unpack, raw)
  if #raw > 1048576 or not good or type(message) ~= 'table' or type(message.items) ~= 'table' or message.v ~= 1
    or #message.items > 500 then
    set_aside(raw, 'not a message of version 1')
  else
    for _, item in ipairs(message.items) do
      local check = type(item) == 'table' and type(item[1]) == 'string' and VALID[item[1]]
      if check and check(item) then read(item) else set_aside(cmsgpack.pack(item), 'not an item of version 1') end
    end
  end
end
for J, numbers in pairs(wanted) do
  if job(J) then load_tasks(J, numbers) end
end
local holds = {}
if whole then
  for _, h in ipairs(held(N)) do holds[named(h[1], h[2], h[3])] = h end
else
  for i, value in ipairs(hmget(K.node_tasks(N), names)) do
    if value then holds[names[i]] = hold_of(names[i], value) end
  end
end
local queues = {[n.queue] = true}
local recent, measured, late = {}, {}, {}

-- The slots of an attempt are given back once, whatever became of the task meanwhile.
local function give_back(J, T, attempt)
  local h = holds[named(J, T, attempt)]
  if not h then return false end
  holds[named(J, T, attempt)] = nil
  release(n, h)
  return true
end

local on_end
do -- a script has room for 200 local names
-- How long an attempt that ended had its slots, microseconds; 0: not told.
local function slot_time(item)
  local stats = type(item[8]) == 'table' and item[8] or {}
  return is_count(stats[8]) and stats[8] or 0
end

local function retries_left(j, t)
  local limit = t[F.max_retry] == INHERIT and j.max_retry or t[F.max_retry]
  return limit == -1 or t[F.retries] < limit
end

function on_end(item)
  local J, T, attempt, age, exit, fail = item[2], item[3], item[4], item[5], item[6], item[7]
  if not give_back(J, T, attempt) then return end
  local j = job(J)
  local t = j and task(J, T)
  local index = t and t[F.gang] and gangs.index(t, N)
  if index then
    gangs.over(J, T, t, N, attempt, age, exit or false, fail)
    recent[#recent + 1] = J .. '.' .. T .. '.' .. index
    if index > 0 then fail = gangs.blame(index, n.id, exit, fail) end
  end
  local took = slot_time(item)
  if j and type(item[8]) == 'table' then usage.add(j, T, t, item[8], took) end -- whatever became of the task meanwhile
  if not is_here(t, N, attempt) then return end
  if took > 0 then
    local m = measured[J] or {0, 0}
    measured[J] = {m[1] + took, m[2] + 1}
  end
  -- It began and ended since the node's last word.
  if t[F.state] == PREFETCHED then begin(j, T, t, math.max(t[F.state_at], now - age - took)) end
  if exit == nil then exit = false end
  local plain = not fail and exit
  -- A `run` failure says more about a non-zero exit (out of memory); it is retried like any.
  local nonzero = exit and exit ~= 0 and (not fail or fail[1] == 'run')
  if not index then recent[#recent + 1] = J .. '.' .. T end
  queues[j.queue] = true
  if nonzero and retries_left(j, t) and j.state ~= 'terminating' and j.state ~= 'deleting' then
    return retry(j, T, t, exit)
  end
  n.total_run = n.total_run + 1
  if plain then
    if exit == 0 then n.total_ok = n.total_ok + 1 end
    return complete(j, T, t, {age = age, exit = exit})
  end
  if not fail then
    fail = {'pre', 'ServerError', 'Unknown', 'The agent gave no reason', ''}
  end
  complete(j, T, t, {age = age, exit = exit, phase = short(fail[1], 100), category = short(fail[2], 100),
    code = short(fail[3], 100), message = short(fail[4]),
    details = type(fail[5]) == 'string' and #fail[5] <= 65536 and fail[5] or ''})
end
end

local ON
do
local function on_back(J, T, attempt, reason)
  if not give_back(J, T, attempt) then return end
  local j = job(J)
  local t = j and task(J, T)
  if not is_here(t, N, attempt) then return end
  queues[j.queue] = true
  if t[F.state] == PREFETCHED then begin(j, T, t, now) end
  if t[F.gang] then gangs.leave(J, T, t, N, reason) end
  take_away(j, T, t, reason, 'lost')
end

-- Attempts that waited at the node run now.
local function on_begun(item)
  for _, b in ipairs(item[2]) do
    local h = holds[named(b[1], b[2], b[3])]
    local j = h and h[6] and job(b[1])
    local t = j and task(b[1], b[2])
    if h and h[6] then occupy(n, h) end
    if is_here(t, N, b[3]) and t[F.state] == PREFETCHED then begin(j, b[2], t, now) end
  end
  settle_node_state(n)
end

-- Attempts that were never started: asked for, or because they waited longer than was thought (`late`).
local function on_unstarted(item)
  local ready = {}
  for _, u in ipairs(item[2]) do
    local J, T = u[1], u[2]
    local j = give_back(J, T, u[3]) and job(J)
    local t = j and task(J, T)
    if is_here(t, N, u[3]) and t[F.state] == PREFETCHED then
      queues[j.queue] = true
      ready[J] = ready[J] or {}
      ready[J][t[F.slots]] = ready[J][t[F.slots]] or {}
      table.insert(ready[J][t[F.slots]], T)
    end
  end
  for J, sizes in pairs(ready) do
    for slots, numbers in pairs(sizes) do put_aside(job(J), slots, numbers) end
    if item[3] == 1 then late[J] = true end
  end
  n.recall, n.dirty = 0, true
end

-- After a reconnect: what was sent up to `seq` and is not held was lost on the way. So may be a kill: what is
-- held and does not count here is ended once more. What was sent after `seq` may be lost or on its way; one more
-- message shows the node, by its number, whether it missed some, and then it says again what it holds.
local function on_hold(item)
  local seq, has_it, begun = item[2], {}, {}
  for _, h in ipairs(item[3]) do
    if type(h) == 'table' and is_count(h[1]) and is_count(h[2]) and is_count(h[3]) then
      has_it[named(h[1], h[2], h[3])] = true
      if h[4] == 0 then begun[#begun + 1] = h end
    end
  end
  local lost = {}
  for name, h in pairs(holds) do
    if h[5] <= seq and not has_it[name] then lost[#lost + 1] = h end
  end
  table.sort(lost, earlier)
  for _, h in ipairs(lost) do
    local j = h[6] and job(h[1])
    local t = j and task(h[1], h[2])
    if is_here(t, N, h[3]) and t[F.state] == PREFETCHED then
      on_unstarted({'unstarted', {h}})
    else
      on_back(h[1], h[2], h[3], 'the assignment did not reach node ' .. n.id)
    end
  end
  on_begun({'begun', begun})
  local behind = seq < n.seq
  local again = {}
  for name, h in pairs(holds) do
    local j = has_it[name] and job(h[1])
    local t = has_it[name] and j and task(h[1], h[2])
    if has_it[name] and not is_here(t, N, h[3]) then again[#again + 1] = h
    elseif t and t[F.gang] and behind then gangs.remind(h[1], h[2], t, N) end
  end
  table.sort(again, earlier)
  for i, h in ipairs(again) do again[i] = {h[1], h[2], h[3], 'requeue'} end
  n.recall, n.dirty = 0, true -- the question, or the answer, may be lost; it is asked again if it is still open
  if #again > 0 then
    send(n, {kind = 'kill', tasks = again})
  elseif behind then
    send(n, {kind = 'drain', on = n.scheduling == 'disabled', retained = call('HGET', K.node(N), 'data') == 'wanted'})
  end
end

local STARTING = {starting = true, waitingforstarttask = true}
ON = {
  ['end'] = on_end,
  back = function(i) on_back(i[2], i[3], i[4], type(i[5]) == 'string' and short(i[5]) or 'the agent gave it back') end,
  note = function(i)
    local t = job(i[2]) and task(i[2], i[3])
    if t and t[F.attempt] == i[4] and t[F.node] == N then tell(i[2], i[3], t, 'note', short(i[5])) end
  end,
  coordinated = function(i)
    local t = holds[named(i[2], i[3], i[4])] and job(i[2]) and task(i[2], i[3])
    if t and t[F.gang] and is_here(t, N, i[4]) then gangs.coordinated(i[2], i[3], t, N, i[5] or false) end
  end,
  container = function(i)
    local t = job(i[2]) and task(i[2], i[3])
    if t and t[F.attempt] == i[4] and t[F.node] == N then
      call('HSET', K.task_containers(i[2]), i[3], i[4] .. '|' .. i[5])
    end
  end,
  up = function(i)
    local info = i[2]
    call('HSET', K.node(N), 'booted_at', now, 'tries', 0, 'agent_version', short(tostring(info.version or ''), 100))
    if type(info.ip) == 'string' then call('HSET', K.node(N), 'ip', short(info.ip, 100)) end
  end,
  begun = on_begun,
  unstarted = on_unstarted,
  start = function(i)
    local info = cjson.decode(i[2])
    call('HSET', K.node(N), 'start_info', i[2], 'start_info_at', now)
    if not STARTING[n.state] then return end
    if info.state == 'running' and info.waitForSuccess then set_node_state(n, 'waitingforstarttask') end
    if info.state == 'completed' and info.result == 'failure' and info.waitForSuccess then
      set_node_state(n, 'starttaskfailed')
    end
  end,
  prep = function(i)
    local j = job(i[2])
    if j and preparing.on_prep(j, n, i[3], cjson.decode(i[3])) then queues[j.queue] = true end
  end,
  release = function(i)
    local j = job(i[2])
    if j then preparing.on_release(j, n, i[3], cjson.decode(i[3])) end
  end,
  ready = function()
    if STARTING[n.state] or n.state == 'unknown' then
      set_node_state(n, 'idle')
      settle_node_state(n)
    end
  end,
  bare = function()
    call('HSET', K.node(N), 'data', 'gone')
    due('pool:' .. n.pool, now)
  end,
  hold = on_hold,
  bad = function(i)
    for Q in pairs(empty_node(n, 'node ' .. n.id .. ': ' .. short(i[3]), 'lost')) do queues[Q] = true end
    holds = {}
    if not ON_ITS_WAY[n.state] and n.state ~= 'deallocated' and n.state ~= 'preempted' then
      set_node_state(n, 'unusable')
    end
    call('HSET', K.node(N), 'errors', cjson.encode({{code = short(i[2], 100), message = short(i[3])}}))
  end,
}
end
for _, item in ipairs(items) do ON[item[1]](item) end
for J, m in pairs(measured) do
  if job(J) then set_pace(job(J), paced(job(J).pace, math.floor(m[1] / m[2]))) end
end
for J in pairs(late) do set_pace(job(J), 0) end

if #recent > 0 then
  call('LPUSH', K.node_recent(N), unpack(recent))
  call('LTRIM', K.node_recent(N), 0, 9)
end
if n.running + n.ahead == 0 and ON_ITS_WAY[n.state] then due('pool:' .. n.pool, now) end
if n.state ~= 'running' and n.dirty and (n.state == 'idle' or n.state == 'unusable' or n.state == 'starttaskfailed') then
  -- The pool may have reached its size.
  if call('HGET', K.pool(n.pool), 'allocation') ~= 'steady' then due('pool:' .. n.pool, now) end
end
finish(queues, N)
-- Nobody writes meanwhile: fewer than asked for, all taken, means that nothing is left.
local more = taken < #raws or #raws == a.limit
if more then
  call('LTRIM', key, taken, -1)
  more = call('EXISTS', key) == 1
else
  call('UNLINK', key)
end
if more then ring(N .. ':' .. B) end
return done(#items, more and 1 or 0, n.state)

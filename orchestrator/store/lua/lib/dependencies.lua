-- Task dependencies (spec/behaviour.md, 10).
-- Each waiting task counts what it still waits for. A parent id keeps a list of
-- its children; a range waits at its first unsatisfied integer and moves on when
-- that one is satisfied, so equal ranges cost once and a range moves at most
-- once per integer. Work beyond the budget stays in the job's `todo` list.

local DEPENDENCY_BUDGET = 500
local todo_jobs = {}

local function todo(J, item)
  call('RPUSH', K.dep_todo(J), item)
  todo_jobs[J] = true
end

-- The integer an id stands for in ranges, or nil; leading zeros do not count.
local function integer_of(id)
  local sign, rest = string.match(id, '^(%-?)0*(%d+)$')
  if not rest or #rest > 15 then return nil end
  return tonumber(sign .. rest) + 0 -- -0 + 0 is 0
end

-- First integer >= k that is not satisfied.
local function first_unsatisfied(J, k)
  local run = call('ZREVRANGEBYSCORE', K.dep_runs(J), digits(k), '-inf', 'LIMIT', 0, 1)[1]
  if not run then return k end
  local last = tonumber(call('HGET', K.dep_run_ends(J), run))
  if last >= k then return last + 1 end
  return k
end

-- Adds k to the runs of satisfied integers; false when it was there.
local function add_to_runs(J, k)
  if first_unsatisfied(J, k) ~= k then return false end
  local starts, ends = K.dep_runs(J), K.dep_run_ends(J)
  local from, to = k, k
  local left = call('ZREVRANGEBYSCORE', starts, digits(k), '-inf', 'LIMIT', 0, 1)[1]
  if left and tonumber(call('HGET', ends, left)) == k - 1 then from = tonumber(left) end
  local right = call('HGET', ends, digits(k + 1))
  if right then
    to = tonumber(right)
    call('ZREM', starts, digits(k + 1))
    call('HDEL', ends, digits(k + 1))
  end
  call('ZADD', starts, digits(from), digits(from))
  call('HSET', ends, digits(from), digits(to))
  return true
end

local function wait_less(j, T)
  local t = task(j.number, T)
  if not t then return end
  t[F.waiting] = t[F.waiting] - 1
  touch(j.number, T)
  if t[F.waiting] == 0 and t[F.state] == ACTIVE then ready_tasks(j, class_of(j, T, t), {T}) end
end

-- Takes up to `limit` waiting tasks off a list; also tells whether it is empty now.
local function release_list(j, key, limit)
  local list = call('LRANGE', key, 0, limit - 1)
  for i, T in ipairs(list) do list[i] = tonumber(T) end
  load_tasks(j.number, list)
  for _, T in ipairs(list) do wait_less(j, T) end
  call('LTRIM', key, limit, -1)
  return #list, call('EXISTS', key) == 0
end

-- A range looks for the integer it waits at next; true when it is satisfied.
local function advance_range(J, range)
  local first, last = string.match(range, '^(%-?%d+)_(%-?%d+)$')
  local at = first_unsatisfied(J, tonumber(call('HGET', K.dep_ranges(J), range) or first))
  if at > tonumber(last) then
    call('HDEL', K.dep_ranges(J), range)
    return true
  end
  call('HSET', K.dep_ranges(J), range, digits(at))
  call('RPUSH', K.dep_watch(J, digits(at)), range)
  return false
end

-- The task's id satisfies dependants from now on, for good.
local function satisfy(j, T, t, id)
  if has(t[F.flags], SATISFIED) then return end
  t[F.flags] = t[F.flags] + SATISFIED
  touch(j.number, T)
  id = string.lower(id)
  if call('EXISTS', K.dep_children(j.number, id)) == 1 then todo(j.number, 'children|' .. id) end
  local k = integer_of(id)
  if k and add_to_runs(j.number, k) and call('EXISTS', K.dep_watch(j.number, digits(k))) == 1 then
    todo(j.number, 'watch|' .. digits(k))
  end
end

local function satisfied_ids(J, ids)
  local numbers, known, out = hmget(K.task_ids(J), ids), {}, {}
  for _, T in ipairs(numbers) do if T then known[#known + 1] = tonumber(T) end end
  load_tasks(J, known)
  for i, id in ipairs(ids) do
    local t = numbers[i] and task(J, tonumber(numbers[i]))
    out[i] = (t and has(t[F.flags], SATISFIED)) or call('SISMEMBER', K.dep_gone(J), id) == 1
  end
  return out
end

local function distinct(list, key_of)
  local out, seen = {}, {}
  for _, v in ipairs(list or {}) do
    local key = key_of(v)
    if not seen[key] then seen[key] = true; out[#out + 1] = key end
  end
  return out
end

-- What a task depends on: lower-case ids and `a_b` ranges, each once.
local function parents_of(on)
  return distinct(on.taskIds, string.lower),
    distinct(on.taskIdRanges, function(r) return digits(r.start) .. '_' .. digits(r['end']) end)
end

-- Links a task to its parents, from the `offset`-th on, and counts off those already satisfied.
local function link(j, T, offset, budget)
  local J = j.number
  local spec = call('HGET', K.task_specs(J), T)
  if not spec then return 1 end
  local ids, ranges = parents_of(cjson.decode(spec).dependsOn)
  local part = {}
  for i = offset + 1, math.min(offset + budget, #ids) do part[#part + 1] = ids[i] end
  for i, yes in ipairs(satisfied_ids(J, part)) do
    if yes then wait_less(j, T) else call('RPUSH', K.dep_children(J, part[i]), T) end
  end
  if offset + budget < #ids then
    call('LPUSH', K.dep_todo(J), 'link|' .. T .. '|' .. (offset + budget))
    return budget
  end
  for _, range in ipairs(ranges) do
    if call('HEXISTS', K.dep_ranges(J), range) == 1 or not advance_range(J, range) then
      call('RPUSH', K.dep_range_children(J, range), T)
    else
      wait_less(j, T)
    end
  end
  return #part + #ranges + 1
end

-- A task that still waits is deleted: its number stays in lists that purge_job must find without it.
local function orphan(J, spec)
  local ids, ranges = parents_of(spec.dependsOn)
  local lists = {}
  for _, id in ipairs(ids) do lists[#lists + 1] = 'c|' .. id end
  for _, range in ipairs(ranges) do lists[#lists + 1] = 'r|' .. range end
  many('SADD', K.dep_orphans(J), lists)
end

-- Removes what waits for an id or a range, whoever waits.
local function forget_list(J, kind, what)
  if kind == 'c' then return call('UNLINK', K.dep_children(J, what)) end
  local at = call('HGET', K.dep_ranges(J), what)
  if at then call('UNLINK', K.dep_watch(J, at)) end
  call('UNLINK', K.dep_range_children(J, what))
end

-- One item of the list: kind|what|rest. Returns what it cost.
local function do_item(j, item, budget)
  local J = j.number
  local kind, what, rest = string.match(item, '^(%a+)|([^|]+)|?(.*)$')
  if kind == 'link' then return link(j, tonumber(what), tonumber(rest), budget) end
  if kind == 'children' or kind == 'range' then
    local key = kind == 'children' and K.dep_children(J, what) or K.dep_range_children(J, what)
    local n, over = release_list(j, key, budget)
    if not over then call('LPUSH', K.dep_todo(J), item) end
    return n + 1
  end
  local key = K.dep_watch(J, what)
  local ranges = call('LRANGE', key, 0, budget - 1)
  call('LTRIM', key, budget, -1)
  for _, range in ipairs(ranges) do
    if advance_range(J, range) then call('RPUSH', K.dep_todo(J), 'range|' .. range) end
  end
  if call('EXISTS', key) == 1 then call('LPUSH', K.dep_todo(J), item) end
  return #ranges + 1
end

-- Works off the job's list within the budget; the engine is rung for the rest.
local function work_todo(j)
  local budget = DEPENDENCY_BUDGET
  while budget > 0 do
    local item = call('LPOP', K.dep_todo(j.number))
    if not item then return end
    budget = budget - do_item(j, item, budget)
  end
  if call('EXISTS', K.dep_todo(j.number)) == 1 then ring('deps:' .. j.number) end
end

local function work_all_todos()
  for J in pairs(todo_jobs) do
    local j = job(J)
    if j then work_todo(j) end
  end
  todo_jobs = {}
end

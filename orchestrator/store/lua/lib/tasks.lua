-- Task states: packed arrays, read in bulk, written back once by flush_tasks().

-- Where each fact sits in the packed array; orchestrator/store/packing.py mirrors this.
local F = {
  state = 1, state_at = 2, prev = 3, prev_at = 4, attempt = 5, retries = 6, requeues = 7,
  node = 8, started = 9, ended = 10, exit = 11, result = 12, slots = 13, max_retry = 14,
  created = 15, modified = 16, waiting = 17, flags = 18, last_retry = 19, last_requeue = 20,
  losses = 21,
  gang = 22, -- {instances, node of each in the latest attempt, ...} of multi-instance tasks; others have nothing or false
  used = 23, -- and behind it, as lib/usage.lua says; absent before
}
local ACTIVE, PREPARING, RUNNING, COMPLETED = 0, 1, 2, 3
-- Handed to a node ahead of a free slot (lib/ahead.lua): to everybody else the task is still active.
local PREFETCHED = 4
local NO_RESULT, SUCCESS, FAILURE = 0, 1, 2
-- Flags, added up.
local HAS_EXIT_CONDITIONS, SATISFIED, HAS_AFFINITY = 1, 2, 4
-- Multi-instance tasks are ready under this plus their number of instances: above all slots, which are 32 bits.
local GANG = 10000000000
-- max_retry of a task that takes its job's.
local INHERIT = -2
-- Runs lost to agents and nodes before the task is given up (MaxInternalRetryCountReached).
local LOSS_LIMIT = 10

local task_cache, task_dirty = {}, {}
local count_deltas = {}
local COUNTED = {[0] = 'active', [1] = 'running', [2] = 'running', [3] = 'completed', [4] = 'active'}

local function has(flags, flag) return math.floor(flags / flag) % 2 == 1 end

local function count(J, name, n, slots)
  local d = count_deltas[J]
  if not d then d = {}; count_deltas[J] = d end
  d[name] = (d[name] or 0) + n
  d[name .. '_slots'] = (d[name .. '_slots'] or 0) + n * slots
end

-- Reads the states of tasks not read yet; unknown numbers stay false.
local function load_tasks(J, numbers)
  local seen = task_cache[J]
  if not seen then seen = {}; task_cache[J] = seen end
  local missing = {}
  for _, T in ipairs(numbers) do
    if seen[T] == nil then missing[#missing + 1] = T end
  end
  if #missing == 0 then return seen end
  local raw = hmget(K.task_states(J), missing)
  for i, T in ipairs(missing) do seen[T] = raw[i] and cmsgpack.unpack(raw[i]) or false end
  return seen
end

local function task(J, T)
  local seen = task_cache[J]
  if not seen or seen[T] == nil then seen = load_tasks(J, {T}) end
  return seen[T]
end

local function touch(J, T)
  local d = task_dirty[J]
  if not d then d = {}; task_dirty[J] = d end
  d[T] = true
end

local function forget_task(J, T)
  if task_dirty[J] then task_dirty[J][T] = nil end
  if task_cache[J] then task_cache[J][T] = false end
end

local function flush_tasks()
  for J, dirty in pairs(task_dirty) do
    local out = {}
    for T in pairs(dirty) do
      out[#out + 1] = T
      out[#out + 1] = cmsgpack.pack(task_cache[J][T])
    end
    many('HSET', K.task_states(J), out)
  end
  task_dirty = {}
end

-- Changes the state and the counters that follow from it.
local function move(J, T, t, state)
  local old, new = COUNTED[t[F.state]], COUNTED[state]
  if old ~= new then
    count(J, old, -1, t[F.slots])
    count(J, new, 1, t[F.slots])
  end
  t[F.prev], t[F.prev_at] = t[F.state] == PREFETCHED and ACTIVE or t[F.state], t[F.state_at]
  t[F.state], t[F.state_at] = state, now
  touch(J, T)
end

-- Adds a line to the story: an attempt that ended without completing the task, or a note.
local function tell(J, T, t, outcome, reason)
  local key = K.task_stories(J)
  local raw = call('HGET', key, T)
  local story = raw and cmsgpack.unpack(raw) or {}
  if #story >= 100 then table.remove(story, 2) end -- the first attempt and the newest ones stay
  story[#story + 1] = {t[F.attempt], t[F.node], t[F.started], now, outcome, reason or '', t[F.exit]}
  call('HSET', key, T, cmsgpack.pack(story))
end

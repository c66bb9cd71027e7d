-- Nodes: facts, slots, inboxes. A node is open when it may be given tasks.

local node_cache = {}
local NODE_FIELDS = {'id', 'pool', 'boot', 'state', 'scheduling', 'free', 'slots', 'running', 'seq', 'queue',
  'total_run', 'total_ok', 'state_at', 'dedicated', 'ahead', 'recall'}

local function node(N)
  local n = node_cache[N]
  if n ~= nil then return n end
  local v = call('HMGET', K.node(N), unpack(NODE_FIELDS))
  if not v[1] then node_cache[N] = false; return false end
  n = {
    number = N, id = v[1], pool = tonumber(v[2]), boot = tonumber(v[3]), state = v[4], scheduling = v[5],
    free = tonumber(v[6]), slots = tonumber(v[7]), running = tonumber(v[8]), seq = tonumber(v[9]),
    queue = tonumber(v[10]), total_run = tonumber(v[11]), total_ok = tonumber(v[12]),
    state_at = tonumber(v[13]), dedicated = v[14], dirty = false,
    -- Slots that attempts wait for here, and the message that asked to have those back (lib/ahead.lua).
    ahead = tonumber(v[15] or 0), recall = tonumber(v[16] or 0),
  }
  n.ahead_listed = n.ahead
  node_cache[N] = n
  return n
end

local function set_node_state(n, state)
  if n.state ~= state then n.state, n.state_at, n.dirty = state, now, true end
end

-- A node in service is idle, running, or offline when scheduling is disabled and nothing runs.
local function settle_node_state(n)
  if n.state ~= 'idle' and n.state ~= 'running' and n.state ~= 'offline' then return end
  if n.running > 0 or n.ahead > 0 then set_node_state(n, 'running')
  elseif n.scheduling == 'disabled' then set_node_state(n, 'offline')
  else set_node_state(n, 'idle') end
end

local function in_service(n) return n.scheduling == 'enabled' and (n.state == 'idle' or n.state == 'running') end

-- The node that a claim of the queue has reserved, or 0; read once per script.
local reserved_nodes = {}
local function reserved_node(Q)
  local N = reserved_nodes[Q]
  if not N then
    N = tonumber(call('HGET', K.queue(Q), 'claim_node') or 0) or 0
    reserved_nodes[Q] = N
  end
  return N
end

-- Slots for others than those who wait at the node.
local function room(n) return math.max(0, n.free - n.ahead) end

-- Keeps the set of open nodes true, and that of nodes where attempts wait; the reserved node of a claim is not open.
-- What this script has written already is not written again.
local function sync_open(n)
  if n.ahead ~= n.ahead_listed then
    n.ahead_listed = n.ahead
    if n.ahead > 0 then call('ZADD', K.queue_ahead(n.queue), n.ahead, padded(n.number))
    else call('ZREM', K.queue_ahead(n.queue), padded(n.number)) end
  end
  local score = in_service(n) and reserved_node(n.queue) ~= n.number and room(n) or 0
  if n.open == score then return end
  n.open = score
  if score > 0 then
    call('ZADD', K.queue_open(n.queue), score, padded(n.number))
  else
    call('ZREM', K.queue_open(n.queue), padded(n.number))
  end
end

local function sync_all_open()
  for _, n in pairs(node_cache) do
    if n and n.dirty then sync_open(n) end
  end
end

local function flush_held(n)
  if n.released then many('HDEL', K.node_tasks(n.number), n.released) end
  local begun = {}
  for name, value in pairs(n.begun or {}) do begun[#begun + 1] = name; begun[#begun + 1] = value end
  many('HSET', K.node_tasks(n.number), begun)
  n.released, n.begun = nil, nil
end

local function send(n, message)
  n.seq = n.seq + 1
  n.dirty = true
  message.v, message.seq = 1, n.seq
  call('RPUSH', K.inbox(n.number, n.boot), cmsgpack.pack(message))
end

-- Asks a node for the attempts that it has not started; it answers `unstarted`.
local function recall(n)
  if n.ahead > 0 and n.recall == 0 then
    send(n, {kind = 'recall'})
    n.recall = n.seq
  end
end

local function flush_nodes()
  for N, n in pairs(node_cache) do
    if n and n.dirty then
      if not in_service(n) then recall(n) end
      flush_held(n)
      call('HSET', K.node(N), 'state', n.state, 'state_at', n.state_at, 'scheduling', n.scheduling, 'free', n.free,
        'running', n.running, 'seq', n.seq, 'total_run', n.total_run, 'total_ok', n.total_ok, 'ahead', n.ahead,
        'recall', n.recall)
      sync_open(n)
      n.dirty = false
    end
  end
end

local function earlier(x, y)
  for i = 1, 3 do
    if x[i] ~= y[i] then return x[i] < y[i] end
  end
  return false
end

-- {J, T, attempt, slots, seq, ahead} of a field and value of node_tasks.
local function hold_of(name, value)
  local J, T, attempt = string.match(name, '^(%d+)%.(%d+)%.(%d+)$')
  local slots, seq, ahead = string.match(value, '^(%d+):(%d+)(a?)')
  return {tonumber(J), tonumber(T), tonumber(attempt), tonumber(slots), tonumber(seq), ahead == 'a'}
end

-- What the node holds, as hold_of() says, by number. An attempt that was taken away holds its slots until the agent
-- says it is over; the next one of the same task may come meanwhile.
local function held(N)
  local out = {}
  if node_cache[N] then flush_held(node_cache[N]) end
  local raw = call('HGETALL', K.node_tasks(N))
  for i = 1, #raw, 2 do out[#out + 1] = hold_of(raw[i], raw[i + 1]) end
  table.sort(out, earlier)
  return out
end

-- The node no longer holds the attempt: its slots are free again. Written by flush_nodes(), or sooner by held().
local function release(n, h)
  local name = h[1] .. '.' .. h[2] .. '.' .. h[3]
  n.released = n.released or {}
  n.released[#n.released + 1] = name
  if n.begun then n.begun[name] = nil end -- it began and ended in one call
  if h[6] then n.ahead = n.ahead - h[4]
  else n.free, n.running = n.free + h[4], n.running - 1 end
  n.dirty = true
  settle_node_state(n)
end

-- An attempt that waited at the node has taken its slots.
local function occupy(n, h)
  n.begun = n.begun or {}
  n.begun[h[1] .. '.' .. h[2] .. '.' .. h[3]] = h[4] .. ':' .. h[5]
  h[6] = false
  n.ahead, n.free, n.running, n.dirty = n.ahead - h[4], n.free - h[4], n.running + 1, true
end

-- The node that a.pool_id and a.node_id name; or nil and the refusal.
local function named_node()
  local P = call('HGET', K.pool_ids(), string.lower(a.pool_id))
  if not P then return nil, refuse('PoolNotFound') end
  local N = call('HGET', K.pool_node_ids(P), string.lower(a.node_id))
  if not N then return nil, refuse('NodeNotFound', 'The specified node does not exist: ' .. a.node_id) end
  return node(tonumber(N))
end

-- The refusal of a call that is for nodes in these states only, or nil (spec/behaviour.md, 4).
local NODE_BUSY = {creating = 'NodeBeingCreated', starting = 'NodeBeingStarted', waitingforstarttask = 'NodeBeingStarted',
  rebooting = 'NodeBeingRebooted', reimaging = 'NodeBeingReimaged', unusable = 'NodeStateUnusable'}
local function unless(n, states)
  if states[n.state] then return nil end
  return refuse(NODE_BUSY[n.state] or 'OperationInvalidForCurrentState', 'The node is ' .. n.state)
end

-- States of nodes that somebody has sent away: they only wait until nothing keeps them.
local ON_ITS_WAY = {leavingpool = true, rebooting = true, reimaging = true, deallocating = true}

-- retaineddata (spec/behaviour.md, 4): the agent is to say when no task's data is left (`bare`). A node whose
-- agent will not answer is not waited for. To be called while the node is still in its old state.
local AGENT_HEARS = {starting = true, waitingforstarttask = true, starttaskfailed = true, idle = true, running = true,
  offline = true}
local function await_data(n)
  local hears = n.boot > 0 and AGENT_HEARS[n.state]
  call('HSET', K.node(n.number), 'data', hears and 'wanted' or 'gone')
  if hears then send(n, {kind = 'drain', on = true, retained = true}) end
end

-- Room on the host: what nodes take of its cores and memory, and how much they may take where the farm has a limit
-- (--capacity). Low-priority nodes make way for dedicated ones, so they get no room that these would take from them.
local housing = {}

-- Cores and memory: limit (0: none), taken, and taken by low-priority nodes.
function housing.sums()
  local v = call('HMGET', K.housing(), 'limit_cores', 'limit_memory', 'cores', 'memory', 'low_cores', 'low_memory')
  for i = 1, 6 do v[i] = tonumber(v[i] or 0) end
  return {limit = {v[1], v[2]}, taken = {v[3], v[4]}, low = {v[5], v[6]}}
end

-- How many of the size fit when `spare` (cores, memory) is had besides what is free.
function housing.count(s, size, spare)
  local most = math.huge
  for i = 1, 2 do
    if s.limit[i] > 0 and size[i] > 0 then
      most = math.min(most, math.floor((s.limit[i] - s.taken[i] + (spare and spare[i] or 0)) / size[i]))
    end
  end
  return math.max(0, most)
end

-- Does a pool wait for a dedicated node that could be had by preemption?
function housing.spoken_for(s)
  local waits = call('HVALS', K.housing_waits())
  for _, text in ipairs(waits) do
    local cores, memory = string.match(text, '^(%d+):(%d+)$')
    if cores and housing.count(s, {tonumber(cores), tonumber(memory)}, s.low) > 0 then return true end
  end
  return false
end

-- How many more nodes of this size and kind ('1' dedicated, '0' low-priority) there is room for.
function housing.fits(kind, cores, memory)
  local s = housing.sums()
  if s.limit[1] == 0 and s.limit[2] == 0 then return math.huge end
  if kind == '0' and housing.spoken_for(s) then return 0 end
  return housing.count(s, {cores, memory})
end

function housing.take(kind, count, cores, memory)
  if count == 0 or cores + memory == 0 then return end
  for _, prefix in ipairs(kind == '0' and {'', 'low_'} or {''}) do
    call('HINCRBY', K.housing(), prefix .. 'cores', digits(count * cores))
    call('HINCRBY', K.housing(), prefix .. 'memory', digits(count * memory))
  end
end

-- A node takes no room any more; whoever waits for some looks again.
function housing.give_back(n)
  local v = call('HMGET', K.node(n.number), 'housed', 'cores', 'memory')
  if v[1] ~= '1' then return end
  call('HSET', K.node(n.number), 'housed', '0')
  housing.take(n.dedicated, -1, tonumber(v[2]), tonumber(v[3]))
  for _, P in ipairs(call('HKEYS', K.housing_waits())) do due('pool:' .. P, now) end
end

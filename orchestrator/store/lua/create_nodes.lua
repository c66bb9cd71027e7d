-- Makes node records up to the pool's targets, at most 100 a call; the driver makes the nodes.
-- a: pool, dedicated, low (wanted now), stamp (yyyymmddthhmmssz), cores, memory (bytes) of each
-- Where the farm has a limit, no more than there is room for.
-- returns {1, {N, ...}}
local P = a.pool
local v = call('HMGET', K.pool(P), 'id', 'state', 'target_dedicated', 'target_low', 'slots', 'queue', 'vm_size', 'nodes_made')
if v[2] ~= 'active' then return done({}) end
local have = {['1'] = 0, ['0'] = 0}
for _, N in ipairs(call('ZRANGE', K.pool_nodes(P), 0, -1)) do
  local n = call('HMGET', K.node(N), 'state', 'dedicated')
  if n[1] ~= 'leavingpool' then have[n[2]] = have[n[2]] + 1 end
end
local made = {}
local serial = tonumber(v[8])
for _, kind in ipairs({'1', '0'}) do
  local target = tonumber(kind == '1' and v[3] or v[4])
  local wanted = math.min(kind == '1' and a.dedicated or a.low, target - have[kind], 100 - #made)
  if wanted > 0 then wanted = math.min(wanted, housing.fits(kind, a.cores, a.memory)) end
  housing.take(kind, math.max(0, wanted), a.cores, a.memory)
  for _ = 1, wanted do
    local N = call('HINCRBY', K.seq(), 'node', 1)
    serial = serial + 1
    local id = 'tvm-' .. P .. '_' .. serial .. '-' .. a.stamp
    call('HSET', K.node(N), 'id', id, 'pool', P, 'queue', v[6], 'boot', 0, 'state', 'creating', 'state_at', now,
      'scheduling', 'enabled', 'slots', v[5], 'free', v[5], 'running', 0, 'seq', 0, 'total_run', 0, 'total_ok', 0,
      'dedicated', kind, 'vm_size', v[7], 'allocated_at', now, 'booted_at', 0, 'ip', '', 'errors', '[]', 'data', '',
      'stopped', '0', 'tries', 0, 'logs', 0, 'cores', a.cores, 'memory', digits(a.memory), 'housed', '1')
    call('ZADD', K.pool_nodes(P), N, N)
    call('HSET', K.pool_node_ids(P), string.lower(id), N)
    call('HSET', K.node_names(), N, id .. '|' .. v[1])
    made[#made + 1] = N
  end
end
call('HSET', K.pool(P), 'nodes_made', serial)
picky.nodes_changed(tonumber(v[6]))
return done(made)

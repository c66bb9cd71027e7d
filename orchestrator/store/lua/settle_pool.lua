-- Ends a resize when the counts match, or with the errors that the caller found (domain/resize_errors.py).
-- a: pool, seen (allocation_at that the caller judged), errors (JSON list, or false: go on)
-- returns {1, allocation}
local P = a.pool
local v = call('HMGET', K.pool(P), 'state', 'allocation', 'target_dedicated', 'target_low', 'resize_until', 'allocation_at')
if not v[1] then return done('gone') end
if v[2] == 'steady' then return done('steady') end
local have = {dedicated = 0, low = 0, leaving = 0}
for _, N in ipairs(call('ZRANGE', K.pool_nodes(P), 0, -1)) do
  local n = call('HMGET', K.node(N), 'state', 'dedicated')
  if n[1] == 'leavingpool' then have.leaving = have.leaving + 1
  elseif n[1] ~= 'creating' then
    local kind = n[2] == '1' and 'dedicated' or 'low'
    have[kind] = have[kind] + 1
  end
end
local errors
if have.leaving == 0 and have.dedicated == tonumber(v[3]) and have.low == tonumber(v[4]) then errors = '[]'
-- What was judged may be over: another resize has begun since.
elseif tonumber(v[6]) == a.seen then errors = a.errors end
if errors then
  call('HSET', K.pool(P), 'allocation', 'steady', 'allocation_at', now, 'resize_errors', errors)
  -- What is given up is not waited for; preempted nodes still are.
  if call('HEXISTS', K.housing_waits(), P) == 1 then call('HSET', K.housing_waits(), P, '') end
  return done('steady')
end
due('pool:' .. P, v[1] == 'active' and math.max(tonumber(v[5]), now + 1000000) or now + 1000000)
return done(v[2])

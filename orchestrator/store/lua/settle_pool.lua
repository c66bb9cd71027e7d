-- Ends a resize: the counts match, time is up, it was stopped, or the quota is in the way.
-- a: pool, errors (JSON list of what could not be allocated, or false)
-- returns {1, allocation}
local P = a.pool
local v = call('HMGET', K.pool(P), 'state', 'allocation', 'target_dedicated', 'target_low', 'resize_until')
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
local reached = have.leaving == 0 and have.dedicated == tonumber(v[3]) and have.low == tonumber(v[4])
local errors
if reached then errors = '[]'
elseif a.errors then errors = a.errors
elseif v[2] == 'stopping' then
  errors = '[{"code":"ResizeStopped","message":"Desired number of nodes could not be allocated as the resize was stopped"}]'
elseif now >= tonumber(v[5]) and v[1] == 'active' then
  errors = '[{"code":"AllocationTimedout","message":"Desired number of nodes could not be allocated before the resize timeout"}]'
end
if errors then
  call('HSET', K.pool(P), 'allocation', 'steady', 'allocation_at', now, 'resize_errors', errors)
  return done('steady')
end
due('pool:' .. P, v[1] == 'active' and tonumber(v[5]) or now + 1000000)
return done(v[2])

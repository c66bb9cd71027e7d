-- A pool waits for room on the host, or no longer does; freed room rings its timer (lib/housing.lua).
-- a: pool, waits (bool), cores, memory (of a dedicated node that it wants; 0: it wants none)
-- returns {1}
local v = call('HMGET', K.pool(a.pool), 'state', 'allocation')
if not a.waits or v[1] ~= 'active' then
  call('HDEL', K.housing_waits(), a.pool)
else
  local wants = a.cores + a.memory > 0 and v[2] == 'resizing'
  call('HSET', K.housing_waits(), a.pool, wants and (a.cores .. ':' .. digits(a.memory)) or '')
end
return done()

-- Preempted nodes of a pool are to be created again, as far as there is room; they keep their ids.
-- a: pool
-- returns {1, returned, waiting}: waiting are those that there is no room for; the pool's timer rings for those that
-- stay away longer
local P = a.pool
if call('HGET', K.pool(P), 'state') ~= 'active' then return done(0, 0) end
local returned, waiting, soonest = 0, 0, nil
for _, N in ipairs(call('ZRANGE', K.pool_nodes(P), 0, -1)) do
  local n = call('HMGET', K.node(N), 'state', 'housed', 'back_at', 'cores', 'memory')
  local back_at = tonumber(n[3] or 0)
  if n[1] == 'preempted' and n[2] == '0' then
    if back_at > now then
      soonest = math.min(soonest or back_at, back_at)
    elseif returned < 100 and housing.fits('0', tonumber(n[4]), tonumber(n[5])) > 0 then
      housing.take('0', 1, tonumber(n[4]), tonumber(n[5]))
      local m = node(tonumber(N))
      charging.node(m.number, charging.length(), math.huge)
      set_node_state(m, 'creating')
      call('HSET', K.node(N), 'housed', '1', 'back_at', 0, 'tries', 0, 'ip', '')
      returned = returned + 1
    else
      waiting = waiting + 1
    end
  end
end
flush_nodes()
if soonest then due('pool:' .. P, soonest) end
return done(returned, waiting)

-- Looks at the next 100 nodes of a pool: what they cost so far is added up. With the first ones, what was measured of
-- the pool in one period is; the first of several engines wins.
-- a: pool, after (node number, 0 at first), period (its number, 0: nothing was measured), sample (figures by name)
-- returns {1, after for the next call, or -1}
local P, key = a.pool, K.pool_stats(a.pool)
if call('EXISTS', K.pool(P)) == 0 then return done(-1) end
local length, budget, after = charging.length(), 400, a.after
if after == 0 and a.period > tonumber(call('HGET', key, 'period') or 0) then
  charging.add(key, a.sample)
  for _, what in ipairs({'received', 'sent'}) do
    local figure = math.floor(a.sample[what] or 0)
    if figure > 0 then charging.note(math.floor(now / length) * length, length, charging.name(P, what), figure) end
  end
  call('HSET', key, 'period', digits(a.period))
end
local nodes = call('ZRANGEBYSCORE', K.pool_nodes(P), '(' .. after, '+inf', 'LIMIT', 0, 100)
for _, N in ipairs(nodes) do
  budget = charging.node(N, length, budget)
  if budget == 0 then return done(after) end
  after = tonumber(N)
end
if #nodes == 100 then return done(after) end
call('HSET', key, 'at', digits(now))
return done(-1)

-- Gives up drafts: the named ones, or at most 500 that nothing came to refer to.
-- a: age (microseconds), members (list; false: those older than age)
-- returns {1, how many}
local drafts = K.drafts()
local found = a.members or call('ZRANGEBYSCORE', drafts, '-inf', '(' .. digits(now - a.age), 'LIMIT', 0, 500)
for _, member in ipairs(found) do
  if call('ZREM', drafts, member) == 1 then call('ZADD', K.doomed(), now, member) end
end
return done(#found)

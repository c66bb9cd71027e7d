-- Lets go of the staged blocks of one blob and fence, provided they are still as the caller saw them.
-- a: number (of the container), staging, version, list and listed (id and packed objects; false: none)
-- returns {1}; refuses Changed
local staged = K.staged(a.number, a.staging)
if (call('HGET', staged, '') or '') ~= a.version then return refuse('Changed') end
call('UNLINK', staged)
call('ZREM', K.stagings(a.number), a.staging)
if a.list then
  call('HSET', K.doomed_lists(), a.list, a.listed)
  call('ZADD', K.doomed(), now, 'l' .. a.list)
end
return done()

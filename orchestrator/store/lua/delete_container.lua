-- Takes a container out of sight; what was in it is deleted later, in small steps.
-- a: container (name)
-- returns {1}; refuses ContainerNotFound
local raw = call('HGET', K.containers(), a.container)
if not raw then return refuse('ContainerNotFound') end
call('HDEL', K.containers(), a.container)
call('ZREM', K.container_names(), a.container)
call('ZADD', K.doomed(), now, 'c' .. digits(cjson.decode(raw).number))
return done()

-- Makes a container of blobs.
-- a: container (name), etag, metadata (map of texts)
-- returns {1, number, modified}; refuses ContainerAlreadyExists
local key = K.containers()
if call('HEXISTS', key, a.container) == 1 then return refuse('ContainerAlreadyExists') end
local number = call('HINCRBY', K.seq(), 'container', 1)
local record = { number = number, etag = a.etag, modified = digits(now), metadata = a.metadata }
call('HSET', key, a.container, cjson.encode(record))
call('ZADD', K.container_names(), 0, a.container)
return done(number, now)

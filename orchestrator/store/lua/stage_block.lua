-- Notes a staged block; one of the same id is replaced.
-- a: container (name), number, staging (digest of fence and blob name), block (id), size, object ('' for an empty block)
-- returns {1}; refuses ContainerNotFound; InvalidBlobOrBlock (ids of one blob have one length); DraftLost
local raw = call('HGET', K.containers(), a.container)
if not raw or cjson.decode(raw).number ~= a.number then return refuse('ContainerNotFound') end
local staged = K.staged(a.number, a.staging)
local version, length = string.match(call('HGET', staged, '') or ('0:' .. #a.block), '^(%d+):(%d+)$')
if tonumber(length) ~= #a.block then
  return refuse('InvalidBlobOrBlock', 'all block ids of a blob have one length')
end
if a.object ~= '' and not call('ZSCORE', K.drafts(), 'o' .. a.object) then return refuse('DraftLost') end

local before = call('HGET', staged, a.block)
if before then
  local object = cmsgpack.unpack(before)[2]
  if object ~= '' then call('ZADD', K.doomed(), now, 'o' .. object) end
end
call('HSET', staged, a.block, cmsgpack.pack({ a.size, a.object }), '', (version + 1) .. ':' .. length)
call('ZADD', K.stagings(a.number), now, a.staging)
call('ZREM', K.drafts(), 'o' .. a.object, 'u' .. a.object)
call('HDEL', K.uploads(), a.object)
return done()

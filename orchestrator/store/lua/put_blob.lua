-- Makes, replaces or deletes a blob's record in one step, provided the blob is still as the caller saw it.
-- a: container (name), number (of the container), blob (name), expect (etag that was seen, '' for no blob),
--    etag and record (packed; false: delete), content and pieces (id and packed list; false: inside the record),
--    old (content of the replaced record to forget, or false), draft (object that the record refers to from now on,
--    or false), staging and version (staged blocks that are used up, as they were seen; false: none), garbage (few
--    objects that are let go), list and listed (id and packed objects that are let go; false: none)
-- returns {1, created, modified}
-- refuses ContainerNotFound; Changed; DraftLost (the object was given up as too old)
local raw = call('HGET', K.containers(), a.container)
if not raw or cjson.decode(raw).number ~= a.number then return refuse('ContainerNotFound') end
local blobs, pieces = K.blobs(a.number), K.blob_pieces(a.number)
local before = call('HGET', blobs, a.blob)
if (before and string.sub(before, 1, 16) or '') ~= a.expect then return refuse('Changed') end
local staged = a.staging and K.staged(a.number, a.staging)
if staged and (call('HGET', staged, '') or '') ~= a.version then return refuse('Changed') end
if a.draft and not call('ZSCORE', K.drafts(), 'o' .. a.draft) then return refuse('DraftLost') end

-- ETags and times lead the record, each 16 characters wide, so that nothing has to unpack it here.
local modified = string.format('%016.0f', before and math.max(now, tonumber(string.sub(before, 33, 48)) + 1) or now)
local created = before and string.sub(before, 17, 32) or modified
if a.record then
  call('HSET', blobs, a.blob, a.etag .. created .. modified .. a.record)
  call('ZADD', K.blob_names(a.number), 0, a.blob)
else
  call('HDEL', blobs, a.blob)
  call('ZREM', K.blob_names(a.number), a.blob)
end
if a.content then call('HSET', pieces, a.content, a.pieces) end
if a.old then call('HDEL', pieces, a.old) end
if a.draft then
  call('ZREM', K.drafts(), 'o' .. a.draft, 'u' .. a.draft)
  call('HDEL', K.uploads(), a.draft)
end
if staged then
  call('UNLINK', staged)
  call('ZREM', K.stagings(a.number), a.staging)
end
for _, object in ipairs(a.garbage) do call('ZADD', K.doomed(), now, 'o' .. object) end
if a.list then
  call('HSET', K.doomed_lists(), a.list, a.listed)
  call('ZADD', K.doomed(), now, 'l' .. a.list)
end
return done(tonumber(created), tonumber(modified))

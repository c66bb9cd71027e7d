-- Deletes an application that has no versions.
-- a: id
-- returns {1}; refuses ApplicationNotFound, ApplicationHasPackages
local key, field = K.applications(), string.lower(a.id)
local raw = call('HGET', key, field)
if not raw then return refuse('ApplicationNotFound') end
if next(cjson.decode(raw).versions) then
  return refuse('ApplicationHasPackages', 'delete the versions of the application first')
end
call('HDEL', key, field)
return done()

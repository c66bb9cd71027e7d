-- Marks the upload of a version as being checked. Repeated while it is, or when there is nothing new: no change.
-- a: id, version
-- returns {1}; refuses ApplicationNotFound, ApplicationPackageNotFound
local key, field = K.applications(), string.lower(a.id)
local raw = call('HGET', key, field)
if not raw then return refuse('ApplicationNotFound') end
local app = cjson.decode(raw)
local version = app.versions[string.lower(a.version)]
if not version then return refuse('ApplicationPackageNotFound') end
if version.upload == '' or version.checking then return done() end
version.checking, version.error = true, ''
call('HSET', key, field, cjson.encode(app))
return done()

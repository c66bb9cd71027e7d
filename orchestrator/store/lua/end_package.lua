-- Ends the check of an upload: it becomes what nodes get, or is refused with a message and waits for another upload.
-- a: id, version, upload (the one that was checked), error ('' when it is good), key, size, sha256, format
-- returns {1, applied}; applied is false when the version is gone or another upload was opened meanwhile
local key, field = K.applications(), string.lower(a.id)
local raw = call('HGET', key, field)
local app = raw and cjson.decode(raw)
local version = app and app.versions[string.lower(a.version)]
if not version or version.upload ~= a.upload then return done(false) end
version.checking, version.error = false, a.error
if a.error == '' then
  version.state, version.upload, version.key, version.size = 'active', '', a.key, digits(a.size)
  version.sha256, version.format, version.activated = a.sha256, a.format, digits(now)
end
version.modified = digits(changed(version.modified))
app.modified = digits(changed(app.modified))
call('HSET', key, field, cjson.encode(app))
return done(true)

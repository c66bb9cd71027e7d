-- Deletes a version of an application.
-- a: id, version
-- returns {1}; refuses ApplicationNotFound, ApplicationPackageNotFound, ApplicationPackageIsDefault,
--   ApplicationPackageUpdatesNotAllowed
local key, field = K.applications(), string.lower(a.id)
local raw = call('HGET', key, field)
if not raw then return refuse('ApplicationNotFound') end
local app, name = cjson.decode(raw), string.lower(a.version)
local version = app.versions[name]
if not version then return refuse('ApplicationPackageNotFound') end
if app.default == version.name then
  return refuse('ApplicationPackageIsDefault', 'this is the default version; choose another one first')
end
if not app.updates and version.state == 'active' then
  return refuse('ApplicationPackageUpdatesNotAllowed', 'allowUpdates of the application is false')
end
app.versions[name] = nil
app.modified = digits(changed(app.modified))
call('HSET', key, field, cjson.encode(app))
return done()

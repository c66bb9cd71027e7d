-- Opens an upload for a version, made if it is not there. What nodes get stays what it was until activation.
-- a: id, version, upload (key of the blob to come), quota (versions of one application)
-- returns {1}; refuses ApplicationNotFound, ApplicationPackageUpdatesNotAllowed, ApplicationPackageQuotaReached
local key, field = K.applications(), string.lower(a.id)
local raw = call('HGET', key, field)
if not raw then return refuse('ApplicationNotFound') end
local app, name = cjson.decode(raw), string.lower(a.version)
local version = app.versions[name]
if version and version.state == 'active' and not app.updates then
  return refuse('ApplicationPackageUpdatesNotAllowed', 'allowUpdates of the application is false')
end
if not version then
  local count = 0
  for _ in pairs(app.versions) do count = count + 1 end
  if count >= a.quota then
    return refuse('ApplicationPackageQuotaReached', 'an application has at most ' .. a.quota .. ' versions')
  end
  version = { name = a.version, state = 'pending', size = '0', sha256 = '', key = '', format = '', activated = '0',
    created = digits(now), number = digits(call('HINCRBY', K.seq(), 'package', 1)) }
  app.versions[name] = version
end
version.upload, version.error, version.checking = a.upload, '', false
version.modified = digits(changed(version.modified))
app.modified = digits(changed(app.modified))
call('HSET', key, field, cjson.encode(app))
return done()

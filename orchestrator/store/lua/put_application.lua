-- Makes an application, or changes the given members of it.
-- a: id, display, updates, default (each false: not given; default '': none), quota (applications), create (may it be made)
-- returns {1}; refuses ApplicationNotFound, ApplicationQuotaReached, ApplicationPackageNotFound (no such default version)
local key, field = K.applications(), string.lower(a.id)
local raw = call('HGET', key, field)
if not raw and not a.create then return refuse('ApplicationNotFound') end
if not raw and call('HLEN', key) >= a.quota then
  return refuse('ApplicationQuotaReached', 'an account has at most ' .. a.quota .. ' applications')
end
local app = raw and cjson.decode(raw)
  or { id = a.id, display = '', updates = true, default = '', created = digits(now), modified = '0', versions = {} }
if a.default and a.default ~= '' then
  local version = app.versions[string.lower(a.default)]
  if not version then return refuse('ApplicationPackageNotFound', 'defaultVersion names no version of this application') end
  app.default = version.name
elseif a.default then
  app.default = ''
end
if a.display then app.display = a.display end
if a.updates ~= nil and a.updates ~= 'keep' then app.updates = a.updates end
if not app.number then app.number = digits(call('HINCRBY', K.seq(), 'application', 1)) end
app.modified = digits(changed(app.modified))
call('HSET', key, field, cjson.encode(app))
return done()

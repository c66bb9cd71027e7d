-- Ends a deletion: nobody uses the certificate and it is gone, or the deletion has failed and names who does.
-- a: certificate
-- returns {1}
local C = a.certificate
local v = call('HMGET', K.certificate(C), 'state', 'thumbprint')
if v[1] ~= 'deleting' then return done() end
local users = call('SRANDMEMBER', K.certificate_users(C), 100)
if #users == 0 then
  call('HDEL', K.certificate_ids(), v[2])
  call('ZREM', K.certificates(), C)
  call('UNLINK', K.certificate(C))
  return done()
end
table.sort(users)
local values = {}
for _, user in ipairs(users) do
  local is_pool = string.sub(user, 1, 1) == 'p'
  local key = (is_pool and K.pool or K.node)(string.sub(user, 2))
  values[#values + 1] = {name = is_pool and 'Pool' or 'Node', value = call('HGET', key, 'id')}
end
certificates.set_state(C, 'deletefailed', cjson.encode({code = 'CertificateDeleteFailed', values = values,
  message = 'The certificate is in use by pools or nodes; they are named in the values'}))
return done()

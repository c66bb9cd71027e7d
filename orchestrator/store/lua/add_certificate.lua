-- Adds a certificate.
-- a: thumbprint (lower case), format, data and password (sealed; password '' without), public (base64)
-- returns {1, C}; refuses CertificateExists, CertificateBeingDeleted
local old = call('HGET', K.certificate_ids(), a.thumbprint)
if old then
  return refuse(call('HGET', K.certificate(old), 'state') == 'deleting' and 'CertificateBeingDeleted' or 'CertificateExists')
end
local C = call('HINCRBY', K.seq(), 'certificate', 1)
call('HSET', K.certificate_ids(), a.thumbprint, C)
call('ZADD', K.certificates(), C, C)
call('HSET', K.certificate(C), 'thumbprint', a.thumbprint, 'format', a.format, 'data', a.data, 'password', a.password,
  'public', a.public, 'state', 'active', 'state_at', now, 'previous', '', 'previous_at', 0, 'modified', now, 'error', '')
return done(C)

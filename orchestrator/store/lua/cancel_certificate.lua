-- Makes a certificate whose deletion failed active again.
-- a: thumbprint
-- returns {1, C}; refuses CertificateNotFound, CertificateStateActive, CertificateBeingDeleted
local C = call('HGET', K.certificate_ids(), string.lower(a.thumbprint))
if not C then return refuse('CertificateNotFound') end
local state = call('HGET', K.certificate(C), 'state')
if state == 'active' then return refuse('CertificateStateActive') end
if state == 'deleting' then return refuse('CertificateBeingDeleted') end
certificates.set_state(C, 'active')
return done(tonumber(C))

-- Begins the deletion of a certificate, also one that failed before; settle_certificate ends it.
-- a: thumbprint
-- returns {1}; refuses CertificateNotFound, CertificateBeingDeleted
local C = call('HGET', K.certificate_ids(), string.lower(a.thumbprint))
if not C then return refuse('CertificateNotFound') end
if call('HGET', K.certificate(C), 'state') == 'deleting' then return refuse('CertificateBeingDeleted') end
certificates.set_state(C, 'deleting')
due('certificate:' .. C, now)
return done()

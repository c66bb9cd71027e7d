-- Adds a pool.
-- a: id, body, vm_size, slots, fill, dedicated, low, timeout (us), quota (pools),
--    scale_interval (us; 0: its size is the caller's), certificates (JSON of references, or false)
-- returns {1, P}; refuses PoolExists, PoolBeingDeleted, PoolQuotaReached, InvalidCertificateReferences
local code, what = making.pool_refusal(a.id, a.quota, a.certificates)
if code then return refuse(code, what) end
return done(making.pool(a))

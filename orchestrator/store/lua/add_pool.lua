-- Adds a pool.
-- a: id, body, vm_size, slots, fill, dedicated, low, timeout (us), quota (pools),
--    scale_interval (us; 0: its size is the caller's)
-- returns {1, P}; refuses PoolExists, PoolBeingDeleted, PoolQuotaReached
local code = making.pool_refusal(a.id, a.quota)
if code then return refuse(code) end
return done(making.pool(a))

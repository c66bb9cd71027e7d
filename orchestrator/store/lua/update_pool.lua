-- Replaces the body (and what scheduling knows of it) of a pool.
-- a: id, body, expect (modified, or 0), fill (or false: as it is),
--    certificates (JSON of references, '' none, or false: as they are)
-- returns {1, P}; refuses PoolNotFound, PoolBeingDeleted, Changed, InvalidCertificateReferences
local P = call('HGET', K.pool_ids(), string.lower(a.id))
if not P then return refuse('PoolNotFound') end
local v = call('HMGET', K.pool(P), 'state', 'modified', 'queue')
if v[1] == 'deleting' then return refuse('PoolBeingDeleted') end
if a.expect ~= 0 and tonumber(v[2]) ~= a.expect then return refuse('Changed') end
local missing = a.certificates and certificates.missing(a.certificates)
if missing then return refuse('InvalidCertificateReferences', 'there is no active certificate ' .. missing) end
call('HSET', K.pool(P), 'body', a.body, 'modified', changed(v[2]))
if a.fill then call('HSET', K.pool(P), 'fill', a.fill) end
if a.certificates then
  certificates.hold('p' .. P, call('HGET', K.pool(P), 'certificates'), a.certificates)
  call('HSET', K.pool(P), 'certificates', a.certificates)
end
return done(tonumber(P))

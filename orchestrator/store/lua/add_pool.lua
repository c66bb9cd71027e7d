-- Adds a pool.
-- a: id, body, vm_size, slots, fill, dedicated, low, timeout (us), quota (pools)
-- returns {1, P}; refuses PoolExists, PoolBeingDeleted, PoolQuotaReached
local key = string.lower(a.id)
local old = call('HGET', K.pool_ids(), key)
if old then
  if call('HGET', K.pool(old), 'state') == 'deleting' then return refuse('PoolBeingDeleted') end
  return refuse('PoolExists')
end
if call('ZCARD', K.pools()) >= a.quota then return refuse('PoolQuotaReached') end
local P = call('HINCRBY', K.seq(), 'pool', 1)
local Q = queue_number(a.id)
local resizing = a.dedicated + a.low > 0
call('HSET', K.pool_ids(), key, P)
call('ZADD', K.pools(), P, P)
call('HSET', K.pool(P), 'id', a.id, 'queue', Q, 'body', a.body, 'vm_size', a.vm_size, 'slots', a.slots, 'fill', a.fill,
  'state', 'active', 'state_at', now, 'allocation', resizing and 'resizing' or 'steady', 'allocation_at', now,
  'created', now, 'modified', now, 'target_dedicated', a.dedicated, 'target_low', a.low,
  'resize_timeout', a.timeout, 'resize_until', now + a.timeout, 'deallocation', 'requeue', 'resize_errors', '[]',
  'nodes_made', 0)
call('HSET', K.queue(Q), 'pool', P)
if resizing then due('pool:' .. P, now) end
return done(P)

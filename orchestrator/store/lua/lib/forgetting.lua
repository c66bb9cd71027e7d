-- What is kept beyond its pool or node for the sake of jobs, and goes when none needs it any more.

local forgetting = {names_at_once = 100}

-- A queue counts the jobs that stand in it. (Queues of before it did do not, and stay.)
function forgetting.count_job(Q, by)
  if call('HEXISTS', K.queue(Q), 'jobs') == 1 then call('HINCRBY', K.queue(Q), 'jobs', by) end
end

-- Without a pool and without jobs it goes: every pool that a job has of its own has an id of its own, and the engine
-- looks after all queues there are. Its number is never used again.
function forgetting.queue(Q)
  local v = call('HMGET', K.queue(Q), 'id', 'pool', 'jobs')
  if not v[1] or v[2] or v[3] ~= '0' then return end
  call('HDEL', K.queue_ids(), string.lower(v[1]))
  call('UNLINK', K.queue(Q))
end

-- A node is gone. Its name stays for what ran there.
function forgetting.node(N)
  call('RPUSH', K.gone_nodes(), N .. ':' .. (call('HGET', K.seq(), 'job') or '0'))
end

-- Names of nodes that were gone before the oldest job that there is was made: nothing speaks of them.
function forgetting.names()
  local oldest = tonumber(call('ZRANGE', K.jobs(), 0, 0)[1] or math.huge)
  local over = {}
  for _, one in ipairs(call('LRANGE', K.gone_nodes(), 0, forgetting.names_at_once - 1)) do
    local N, J = string.match(one, '(%d+):(%d+)')
    if tonumber(J) >= oldest then break end
    over[#over + 1] = N
  end
  if #over == 0 then return end
  call('HDEL', K.node_names(), unpack(over))
  call('LTRIM', K.gone_nodes(), #over, -1)
end

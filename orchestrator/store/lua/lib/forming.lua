-- Where the instances of a multi-instance task go: all of them at once, each to an idle node. A pool can have such
-- tasks when its nodes may reach each other and have one slot each. docs/architecture.md, "Scheduling policy", gangs.
-- Such a task is ready under the class GANG + its number of instances, which is above all slots.

-- `looked_at`: nodes of a pool; more than a pool whose nodes may reach each other can have.
local forming = {looked_at = 500}

-- Nodes in service, by number; none where the pool cannot have gangs. Read only when such a task waits.
function forming.members(q)
  if q.members then return q.members end
  q.members = {}
  local body = q.slots == 1 and call('HGET', K.pool(q.pool), 'body')
  if body and cjson.decode(body).enableInterNodeCommunication == true then
    for _, N in ipairs(call('ZRANGE', K.pool_nodes(q.pool), 0, forming.looked_at - 1)) do
      local n = node(tonumber(N))
      if n and in_service(n) then q.members[#q.members + 1] = n end
    end
  end
  return q.members
end

-- Are there enough nodes, busy ones included, that the job may use?
function forming.could(q, j, class)
  local found = 0
  for _, n in ipairs(forming.members(q)) do
    if picky.allows(j, n) then found = found + 1 end
  end
  return found >= class - GANG
end

-- Could a task of this class of any job run once there is room? Then lower priorities wait for it.
function forming.wanted(q, priority, class)
  if #forming.members(q) < class - GANG then return false end
  if not q.picky then return true end
  for _, J in ipairs(call('ZRANGE', K.queue_class(q.number, priority, class), 0, forming.looked_at - 1)) do
    if forming.could(q, job(tonumber(J)), class) then return true end
  end
  return false
end

-- Idle nodes that the job may use, by number.
function forming.idle(q, j)
  local out = {}
  for _, n in ipairs(forming.members(q)) do
    if room(n) > 0 and reserved_node(q.number) ~= n.number and picky.allows(j, n) then out[#out + 1] = n end
  end
  return out
end

function forming.suits(q, j, class, fits)
  local enough = #forming.idle(q, j) >= class - GANG
  if fits then return enough end
  return not enough and forming.could(q, j, class)
end

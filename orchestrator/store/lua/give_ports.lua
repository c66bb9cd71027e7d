-- Gives a node its ports on the host: those it holds stay its own, no other node of the account has them.
-- a: node, wanted ({{name, protocol, backend, first, last}, ...}), taken ({port, ...}: held by a stranger), address
-- returns {1, json of the endpoints}; refuses NodeNotFound, PortsUsedUp
local SEARCH = 500
local raw = call('HMGET', K.node(a.node), 'id', 'ports')
if not raw[1] then return refuse('NodeNotFound') end
local strange = {}
for _, port in ipairs(a.taken) do strange[port] = true end
local held = {}
for _, one in ipairs(raw[2] and cjson.decode(raw[2]) or {}) do held[one.name] = one end

-- A free port of the range, looked for from where the last one was found.
local fresh, turns = {}, {}
local function free_port(w)
  local count = w[5] - w[4] + 1
  local turn = 'turn:' .. w[2] .. ':' .. w[4]
  local start = tonumber(call('HGET', K.ports(), turn) or 0)
  local fields = {}
  for i = 0, math.min(count, SEARCH) - 1 do fields[i + 1] = w[2] .. ':' .. (w[4] + (start + i) % count) end
  local owners = hmget(K.ports(), fields)
  for i, field in ipairs(fields) do
    local port = tonumber(string.match(field, '%d+$'))
    if not owners[i] and not fresh[field] and not strange[port] then
      turns[turn] = port - w[4] + 1
      return port
    end
  end
end

local endpoints, gone = {}, {}
for _, w in ipairs(a.wanted) do
  local one = held[w[1]]
  if not one or strange[one.frontend] then
    local port = free_port(w)
    if not port then return refuse('PortsUsedUp', 'no port is free for ' .. w[1]) end
    fresh[w[2] .. ':' .. port] = true
    if one then gone[#gone + 1] = one.protocol .. ':' .. one.frontend end
    one = {name = w[1], protocol = w[2], backend = w[3], frontend = port}
  end
  one.address = a.address
  endpoints[#endpoints + 1] = one
end
if #gone > 0 then call('HDEL', K.ports(), unpack(gone)) end
for field in pairs(fresh) do call('HSET', K.ports(), field, a.node) end
for turn, at in pairs(turns) do call('HSET', K.ports(), turn, at) end
local text = #endpoints > 0 and cjson.encode(endpoints) or '[]'
call('HSET', K.node(a.node), 'ports', text)
return done(text)

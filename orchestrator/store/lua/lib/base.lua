-- Shared by every script, included before it.
-- ARGV[1] the account's key prefix, ARGV[2] the time in microseconds (0: the server's
-- own, docs/decisions/001), ARGV[3] the script's arguments as one msgpack map.
-- Every script returns one msgpack array: {1, ...} done, {0, code, message} refused.
-- A refusal has changed nothing: scripts decide first and write after.

local call = redis.call
local now = tonumber(ARGV[2])
if now == 0 then
  local t = call('TIME')
  now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local a = cmsgpack.unpack(ARGV[3])

local function done(...) return cmsgpack.pack({1, ...}) end
local function refuse(code, message) return cmsgpack.pack({0, code, message or ''}) end

-- Numbers of 15 digits and more: tostring() would round them, %.0f does not.
local function digits(n) return string.format('%.0f', n) end

-- The variadic call, cut so that it never meets Lua's limit on unpack().
local function many(command, key, list)
  for i = 1, #list, 1000 do
    call(command, key, unpack(list, i, math.min(i + 999, #list)))
  end
end

-- Values of HMGET for a list of fields, cut likewise.
local function hmget(key, list)
  local out = {}
  for i = 1, #list, 1000 do
    local part = call('HMGET', key, unpack(list, i, math.min(i + 999, #list)))
    for j = 1, #part do out[i + j - 1] = part[j] end
  end
  return out
end

local function ring(member) call('ZADD', K.bell(), 'NX', 0, member) end

-- Wake the engine at a time; an earlier time wins, a later one never postpones.
local function due(member, at)
  call('ZADD', K.due(), 'LT', at, member)
  ring('due')
end

-- A change time that no earlier change of the same resource had: ETags are made of it.
local function changed(last) return math.max(now, (tonumber(last) or 0) + 1) end

-- Members of sets are zero-padded so that equal scores order by number.
local function padded(n) return string.format('%010d', n) end

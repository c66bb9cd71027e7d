-- What tasks have used: docs/decisions/019. What a job's tasks used is one packed member of its counts, read and
-- written with them, so that it costs no command of its own.

-- Of a job: wall, user, kernel (us), reads, writes, bytes read, bytes written, wait (us), retries, and how many tasks
-- that were deleted since had succeeded and failed. orchestrator/domain/usage.py mirrors the order.
local usage = {WAIT = 8, RETRIES = 9, GONE = {10, 11}}

-- The totals of a job, to be changed in place; flush_counts() writes them.
function usage.of(j)
  if not j.usage then j.usage = j.used and cmsgpack.unpack(j.used) or {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} end
  count_deltas[j.number] = count_deltas[j.number] or {}
  return j.usage
end

-- An attempt ended, and its node told `stats` (contract/messages.py). A task that is still there keeps its own sums
-- behind its facts: times always, what it read and wrote only if it did.
function usage.add(j, T, t, stats, took)
  for i = 1, 7 do
    local v = stats[i]
    if type(v) ~= 'number' or v < 0 or v >= 2 ^ 53 or v ~= math.floor(v) then return end
  end
  local u, base = usage.of(j), F.used - 1
  local wall = math.max(stats[1], took)
  local files = stats[4] + stats[5] > 0 or (t and t[base + 4])
  u[1], u[2], u[3] = u[1] + wall, u[2] + stats[2], u[3] + stats[3]
  if files then
    for i = 4, 7 do u[i] = u[i] + stats[i] end
  end
  if not t then return end
  t[base] = t[base] or false
  t[base + 1], t[base + 2], t[base + 3] = (t[base + 1] or 0) + wall, (t[base + 2] or 0) + stats[2],
    (t[base + 3] or 0) + stats[3]
  if files then
    for i = 4, 7 do t[base + i] = (t[base + i] or 0) + stats[i] end
  end
  touch(j.number, T)
end

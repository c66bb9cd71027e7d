-- Job preparation and release tasks (spec/behaviour.md, 7): which nodes have run them, and with what outcome.
-- An entry of job_prep or job_release is {boot, when it was asked for, state, result, what the agent told, when}.

-- A node that does not tell how its release task ended is waited for `grace` beyond the task's limit, microseconds.
local preparing = {grace = 30000000, BOOT = 1, ASKED = 2, STATE = 3, RESULT = 4, TOLD = 5, AT = 6}

function preparing.entry_of(key, N)
  local raw = call('HGET', key, N)
  return raw and cmsgpack.unpack(raw)
end

function preparing.save(key, N, entry) call('HSET', key, N, cmsgpack.pack(entry)) end

-- Whether the node need not be prepared for the job (again); what was done in an earlier boot may count.
function preparing.is_done(j, n, entry)
  if not entry or entry[preparing.STATE] ~= 'completed' then return false end
  if entry[preparing.BOOT] == n.boot then return true end
  if entry[preparing.RESULT] ~= 'success' or call('HGET', K.job(j.number), 'rerun') == '1' then return false end
  return entry[preparing.BOOT] >= tonumber(call('HGET', K.node(n.number), 'wiped') or 0)
end

-- A task of the job goes to the node: may it run at once? Adds the job to `prepare` if the node has to be told.
function preparing.look(j, n, prepare)
  if j.prep == '' then return true end
  local key = K.job_prep(j.number)
  local entry = preparing.entry_of(key, n.number)
  if preparing.is_done(j, n, entry) then return true end
  if not entry or entry[preparing.BOOT] ~= n.boot then preparing.save(key, n.number, {n.boot, now, 'asked', '', '', now}) end
  for _, J in ipairs(prepare) do
    if J == j.number then return j.prep == 'side' end
  end
  prepare[#prepare + 1] = j.number
  return j.prep == 'side'
end

-- The agent tells how a job's preparation or release goes; claims about what it was not asked for are ignored.
-- Returns the entry, or nil.
function preparing.told(key, n, text, info)
  local entry = preparing.entry_of(key, n.number)
  if not entry or entry[preparing.BOOT] ~= n.boot or entry[preparing.STATE] == 'completed' then return nil end
  entry[preparing.STATE] = info.state == 'completed' and 'completed' or 'running'
  entry[preparing.RESULT] = entry[preparing.STATE] == 'completed' and (info.result == 'success' and 'success' or 'failure') or ''
  entry[preparing.TOLD], entry[preparing.AT] = text, now
  preparing.save(key, n.number, entry)
  return entry
end

-- Tasks that waited for the preparation run, or go elsewhere. Returns whether anything of the job changed.
function preparing.on_prep(j, n, text, info)
  local entry = preparing.told(K.job_prep(j.number), n, text, info)
  if not entry or entry[preparing.STATE] ~= 'completed' or j.prep ~= 'wait' then return false end
  if entry[preparing.RESULT] == 'failure' then picky.bar(j, n) end
  for _, h in ipairs(held(n.number)) do
    local t = h[1] == j.number and task(h[1], h[2])
    if t and t[F.state] == PREPARING and is_here(t, n.number, h[3]) then
      if entry[preparing.RESULT] == 'success' then
        if not t[F.gang] or gangs.prepared(j.number, h[2], t, n.number) then
          move(j.number, h[2], t, RUNNING)
          t[F.started] = now
        end
      elseif j.state == 'terminating' or j.state == 'deleting' then
        take_away(j, h[2], t, 'the job is ' .. j.state, 'terminate')
      else
        if t[F.gang] then gangs.leave(j.number, h[2], t, n.number, 'the job preparation task failed') end
        tell(j.number, h[2], t, 'requeued', 'the job preparation task failed on node ' .. n.id)
        put_back(j, h[2], t)
      end
    end
  end
  return true
end

function preparing.on_release(j, n, text, info)
  local entry = preparing.told(K.job_release(j.number), n, text, info)
  if entry and entry[preparing.STATE] == 'completed' then step_later(j.number) end
end

function preparing.alive(n, boot)
  return n and n.boot == boot and n.state ~= 'unknown' and n.state ~= 'leavingpool' and n.state ~= 'unusable'
    and n.state ~= 'preempted'
end

function preparing.ask_for_release(j, n, limit)
  local asked = preparing.alive(n, n and n.boot) and n.boot > 0
  if asked then send(n, {kind = 'release', job = {j.number, j.id, j.agent}}) end
  return {asked and n.boot or 0, now, asked and limit and 'asked' or 'completed', '', '', now}, asked and limit
end

-- Has every node done what the end of the job asks of it? Asks those that have not been asked.
function preparing.wound_up(j)
  if j.prep == '' then return true end
  local limit = tonumber(call('HGET', K.job(j.number), 'release') or '')
  local raw, over = call('HGETALL', K.job_prep(j.number)), true
  for i = 1, #raw, 2 do
    local N, key = tonumber(raw[i]), K.job_release(j.number)
    local n, entry = node(N), preparing.entry_of(key, N)
    if not entry then
      local waits
      entry, waits = preparing.ask_for_release(j, n, limit)
      preparing.save(key, N, entry)
      if waits then over = false end
    elseif entry[preparing.STATE] ~= 'completed' then
      if preparing.alive(n, entry[preparing.BOOT]) and now < entry[preparing.ASKED] + limit + preparing.grace then
        over = false
      else
        entry[preparing.STATE] = 'completed'
        preparing.save(key, N, entry)
      end
    end
  end
  -- Nobody rings when a node dies over it.
  if not over then due('job:' .. j.number, now + 5000000) end
  return over
end

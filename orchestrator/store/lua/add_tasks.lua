-- Adds up to 100 tasks.
-- a: job (id), tasks: {{id, spec, slots, max_retry (-2: the job's), affinity, flags, waiting, instances (multi-instance tasks)}, ...}
-- returns {1, modified, {code or '', ...}}; refuses JobNotFound, JobBeing..., JobCompleted
local j = job_of(a.job)
if not j then return refuse('JobNotFound') end
if over(j) then return over(j) end
local J = j.number
local keys, codes = {}, {}
for i, new in ipairs(a.tasks) do keys[i] = string.lower(new[1]) end
local known = hmget(K.task_ids(J), keys)
local own = j.prep ~= '' and cjson.decode(call('HGET', K.job(J), 'own_ids')) or {}
local fresh, seen = {}, {}
for i, new in ipairs(a.tasks) do
  if known[i] or seen[keys[i]] then
    codes[i] = 'TaskExists'
  elseif own[keys[i]] then
    codes[i] = own[keys[i]] == 'prep' and 'TaskIdSameAsJobPreparationTask' or 'TaskIdSameAsJobReleaseTask'
  else
    seen[keys[i]] = true
    codes[i] = ''
    fresh[#fresh + 1] = i
  end
end
if #fresh == 0 then return done(now, codes) end
local T = call('HINCRBY', K.job(J), 'next', #fresh) - #fresh
local ids, specs, states, affinities, ready = {}, {}, {}, {}, {}
for _, i in ipairs(fresh) do
  local id, spec, slots, max_retry, affinity, flags, waiting, gang = unpack(a.tasks[i])
  T = T + 1
  ids[#ids + 1], ids[#ids + 2] = keys[i], T
  specs[#specs + 1], specs[#specs + 2] = T, spec
  states[#states + 1] = T
  states[#states + 1] = cmsgpack.pack({ACTIVE, now, -1, 0, 0, 0, 0, 0, 0, 0, false, NO_RESULT, slots, max_retry, now, now,
    waiting, flags, 0, 0, 0, gang and {gang}})
  if affinity ~= '' then affinities[#affinities + 1], affinities[#affinities + 2] = T, affinity end
  count(J, 'active', 1, slots)
  if waiting > 0 then
    todo(J, 'link|' .. T .. '|0')
  else
    local class = gang and GANG + gang or slots
    ready[class] = ready[class] or {}
    table.insert(ready[class], T)
  end
end
many('HSET', K.task_ids(J), ids)
many('HSET', K.task_specs(J), specs)
many('HSET', K.task_states(J), states)
if #affinities > 0 then
  many('HSET', K.task_affinity(J), affinities)
  call('HSET', K.job(J), 'has_affinity', '1')
  j.has_affinity = true
end
for slots, numbers in pairs(ready) do ready_tasks(j, slots, numbers) end
finish({[j.queue] = true})
return done(now, codes)

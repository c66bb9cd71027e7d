-- Winds a job schedule down: completes it when its last job is over, or deletes its next 50 jobs and then itself.
-- a: schedule
-- returns {1, state}
local s = schedules.get(a.schedule)
if not s then return done('gone') end
local S = s.number
if s.state == 'terminating' and s.job == 0 then schedules.complete(s) end
if s.state ~= 'deleting' then return done(s.state) end
local left = call('ZRANGE', K.schedule_jobs(S), 0, -1)
local begun = 0
for _, J in ipairs(left) do
  local j = begun < 50 and job(tonumber(J))
  if j and j.state ~= 'deleting' then
    if j.state ~= 'completed' then call('HINCRBY', K.meta(), 'active_jobs', -1) end
    end_job(j, 'deleting')
    refresh_offer(j)
    begun = begun + 1
  end
end
if #left > 0 then
  due('schedule:' .. S, begun == 50 and now or now + 15000000)
  return done('deleting')
end
schedules.end_pool(s)
call('HDEL', K.schedule_ids(), string.lower(s.id))
call('ZREM', K.schedules(), S)
call('ZREM', K.due(), 'schedule:' .. S)
call('UNLINK', K.schedule(S), K.schedule_jobs(S))
return done('gone')

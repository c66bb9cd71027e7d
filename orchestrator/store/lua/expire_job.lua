-- A job's maxWallClockTime may be over.
-- a: job
-- returns {1, ended (0|1)}
local j = job(a.job)
if not j then return done(0) end
local v = call('HMGET', K.job(a.job), 'wall', 'created')
local wall = tonumber(v[1])
if wall == 0 or j.state == 'terminating' or j.state == 'completed' or j.state == 'deleting' then return done(0) end
if now < tonumber(v[2]) + wall then
  due('wall:' .. a.job, tonumber(v[2]) + wall)
  return done(0)
end
end_job(j, 'terminating', 'MaxWallClockTimeExpiry')
refresh_offer(j)
return done(1)

-- Looks at one task in one round trip; writes nothing.
-- a: job (id), task (id)
-- returns {1, J, T, max_retry of the job, spec, state, failure or false, `node id|pool id` or false};
-- refuses JobNotFound, TaskNotFound
local J = tonumber(call('HGET', K.job_ids(), string.lower(a.job)))
local max_retry = J and call('HGET', K.job(J), 'max_retry')
if not max_retry then return refuse('JobNotFound') end
local T = tonumber(call('HGET', K.task_ids(J), string.lower(a.task)))
local t = T and task(J, T)
if not t then return refuse('TaskNotFound') end
local node = t[F.node] ~= 0 and call('HGET', K.node_names(), digits(t[F.node]))
local spec, state = call('HGET', K.task_specs(J), T), call('HGET', K.task_states(J), T)
return done(J, T, tonumber(max_retry), spec, state, call('HGET', K.task_failures(J), T), node)

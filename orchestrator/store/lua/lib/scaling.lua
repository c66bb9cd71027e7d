-- Autoscale of a pool: scale_interval (us, 0: off), scale_from and scale_next (evaluations are due every interval
-- from `from` on), scale_asked (last enableautoscale call), scale_run (the last evaluation, JSON), sampled (number of the
-- last sampling period), seen_succeeded and seen_failed (the queue's counters at that time).

local scaling = {}

function scaling.on(P) return tonumber(call('HGET', K.pool(P), 'scale_interval') or 0) > 0 end

function scaling.refuse_by_hand()
  return refuse('OperationNotValidOnPool', 'The pool sizes itself: disable autoscale first')
end

-- Starts the schedule at this moment, with an evaluation at once.
function scaling.restart(P, interval)
  call('HSET', K.pool(P), 'scale_interval', interval, 'scale_from', now, 'scale_next', now)
  due('scale:' .. P, now)
end

-- Turns autoscale on: what ends from now on is measured.
function scaling.begin(P, Q, interval)
  local v = call('HMGET', K.queue(Q), 'succeeded', 'failed')
  call('HSET', K.pool(P), 'seen_succeeded', v[1] or 0, 'seen_failed', v[2] or 0, 'sampled', 0)
  scaling.restart(P, interval)
end

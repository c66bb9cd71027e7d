-- A timer has fired and its work is done. Whoever set an earlier time meanwhile wants another firing.
-- a: member, lease (the time it was put off to while the work was done)
-- returns {1, over (0|1)}
if tonumber(call('ZSCORE', K.due(), a.member) or 0) ~= a.lease then return done(0) end
return done(call('ZREM', K.due(), a.member))

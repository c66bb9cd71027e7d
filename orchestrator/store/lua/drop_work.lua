-- A run of background work failed: whoever asks next has it queued at once.
-- a: what (`kind:number`), by (token of this run)
-- returns {1}
if call('HGET', K.work(), a.what .. ':by') == a.by then
  call('HDEL', K.work(), a.what, a.what .. ':by', a.what .. ':again')
end
return done()

-- Certificates, and who uses them: a pool those that its body names, a node those that it was given at its last boot.
-- References are JSON lists as in the pool's body ('' none), 100 at most; users are called `p<P>` and `n<N>`.

local function thumbprints(text)
  local found = {}
  if text and text ~= '' then
    for _, reference in ipairs(cjson.decode(text)) do found[#found + 1] = reference.thumbprint end
  end
  return found
end

local certificates = {}

-- The first thumbprint of a list that cannot be referred to, or nil.
function certificates.missing(text)
  for _, thumbprint in ipairs(thumbprints(text)) do
    local C = call('HGET', K.certificate_ids(), thumbprint)
    if not C or call('HGET', K.certificate(C), 'state') ~= 'active' then return thumbprint end
  end
end

-- A user lets go of what it referred to and holds what it refers to now. Whatever is held cannot be deleted.
function certificates.hold(user, before, after)
  for _, thumbprint in ipairs(thumbprints(before)) do
    call('SREM', K.certificate_users(call('HGET', K.certificate_ids(), thumbprint)), user)
  end
  for _, thumbprint in ipairs(thumbprints(after)) do
    call('SADD', K.certificate_users(call('HGET', K.certificate_ids(), thumbprint)), user)
  end
end

function certificates.set_state(C, state, failure)
  local v = call('HMGET', K.certificate(C), 'state', 'state_at', 'modified')
  call('HSET', K.certificate(C), 'state', state, 'state_at', now, 'previous', v[1], 'previous_at', v[2],
    'error', failure or '', 'modified', changed(v[3]))
end

-- Notes an object that is sent in parts. The upload and its object are two drafts: what becomes part of a blob stays,
-- while the upload is only ever aborted.
-- a: object, facts (packed)
-- returns {1}
call('HSET', K.uploads(), a.object, a.facts)
call('ZADD', K.drafts(), now, 'u' .. a.object, now, 'o' .. a.object)
return done()

-- Moves the state of one partition from position `start` to `stop`: everything is written, or nothing.
--
-- KEYS[1]    hash    meta of the partition: next (decimal), epoch (8 bytes), layout, topic_id
-- KEYS[2..]  string  one per sensor: epoch (8 bytes), record
--
-- ARGV[1]    bytes   epoch
-- ARGV[2]    decimal start
-- ARGV[3]    decimal stop
-- ARGV[4]    decimal time to live of a sensor's key, milliseconds
-- then for each sensor, in the order of KEYS:
--   bytes    empty: write it whole, with a new time to live:
--   bytes      the value
--   bytes    else the guard: what the key must begin with for its spans to be written:
--   decimal    number of spans
--   0 or 1     renew the time to live
--   for each span:  decimal, offset in the value;  bytes
--
-- Returns a list: the verdict, and after "lacking" the positions in KEYS, from 1 for the first sensor, of what does
-- not begin with its guard (expired, another epoch, other content). Those must be given whole.

local meta = redis.call('HMGET', KEYS[1], 'next', 'epoch')
local next_position, epoch = meta[1], meta[2]
local start, stop = ARGV[2], ARGV[3]

if not next_position or not epoch then return {'gap'} end
if epoch ~= ARGV[1] then return {'ahead'} end
if next_position ~= start then
  if next_position == stop then return {'already_applied'} end
  if tonumber(next_position) > tonumber(stop) then return {'ahead'} end
  return {'gap'}
end

local lacking = {'lacking'}
local at = 5
for i = 2, #KEYS do
  local guard = ARGV[at]
  if guard == '' then
    at = at + 2
  else
    if redis.call('GETRANGE', KEYS[i], 0, #guard - 1) ~= guard then lacking[#lacking + 1] = i - 1 end
    at = at + 3 + 2 * tonumber(ARGV[at + 1])
  end
end
if #lacking > 1 then return lacking end

at = 5
for i = 2, #KEYS do
  if ARGV[at] == '' then
    redis.call('SET', KEYS[i], ARGV[at + 1], 'PX', ARGV[4])
    at = at + 2
  else
    local spans, renew = tonumber(ARGV[at + 1]), ARGV[at + 2]
    at = at + 3
    for _ = 1, spans do
      redis.call('SETRANGE', KEYS[i], ARGV[at], ARGV[at + 1])
      at = at + 2
    end
    if renew == '1' then redis.call('PEXPIRE', KEYS[i], ARGV[4]) end
  end
end
redis.call('HSET', KEYS[1], 'next', stop)
return {'applied'}

-- Moves the state of one partition from position `start` to `stop`: writes everything or nothing.
--
-- KEYS[1]    hash    meta of the partition: next (decimal), epoch (8 bytes), layout, topic_id, note
-- KEYS[2..]  string  one per sensor: epoch (8 bytes), record
-- the last   hash    what is kept of the partition; only if any of it changes
--
-- ARGV[1]    bytes   epoch
-- ARGV[2]    decimal start
-- ARGV[3]    decimal stop
-- ARGV[4]    text    note: what the partition as a whole has learned up to stop
-- ARGV[5]    decimal time to live of a sensor's key, milliseconds
-- ARGV[6]    decimal number of sensors that are written in full; they come first
-- ARGV[7]    decimal number of fields of what is kept of the partition; they come last
-- then for each of these, in the order of KEYS:
--   bytes    the value; the key gets a new time to live
-- then for each other sensor:
--   bytes    the guard: the bytes that the value must begin with for its spans to be written
--   decimal  number of spans
--   0 or 1   renew the time to live
--   for each span:  decimal, offset in the value;  bytes
-- and at the end, for each field of what is kept:  name;  bytes
--
-- Returns a list: the verdict, and after "lacking" the indices, from 0, of those other sensors whose value does not begin
-- with their guard (expired, another epoch, other content). The caller must pass these in full.

local meta = redis.call('HMGET', KEYS[1], 'next', 'epoch')
local next_position, epoch = meta[1], meta[2]
local start, stop, note, time_to_live, whole = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local kept = tonumber(ARGV[7])
local last = kept > 0 and #KEYS - 1 or #KEYS

if not next_position or not epoch then return {'gap'} end
if epoch ~= ARGV[1] then return {'ahead'} end
if next_position ~= start then
  if next_position == stop then return {'already_applied'} end
  if tonumber(next_position) > tonumber(stop) then return {'ahead'} end
  return {'gap'}
end

local lacking = {'lacking'}
local at = 8 + whole
for i = 2 + whole, last do
  local guard = ARGV[at]
  if redis.call('GETRANGE', KEYS[i], 0, #guard - 1) ~= guard then lacking[#lacking + 1] = i - 2 - whole end
  at = at + 3 + 2 * tonumber(ARGV[at + 1])
end
if #lacking > 1 then return lacking end

for i = 1, whole do
  redis.call('SET', KEYS[1 + i], ARGV[7 + i], 'PX', time_to_live)
end
at = 8 + whole
for i = 2 + whole, last do
  local spans, renew = tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  for _ = 1, spans do
    redis.call('SETRANGE', KEYS[i], ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  if renew == '1' then redis.call('PEXPIRE', KEYS[i], time_to_live) end
end
for _ = 1, kept do
  redis.call('HSET', KEYS[#KEYS], ARGV[at], ARGV[at + 1])
  at = at + 2
end
redis.call('HSET', KEYS[1], 'next', stop, 'note', note)
return {'applied'}

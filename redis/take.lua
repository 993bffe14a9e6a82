-- Takes units off keys by the generic cell rate algorithm: all that are asked
-- for, or none. It is limit.Store.Take, with the server's clock.
--
-- KEYS: whose units. ARGV: for each of them the nanoseconds in which a unit
-- recovers, how many there are at most, and how many to take.
-- Returns for each whether it has them, and the nanoseconds until it will have
-- recovered.
--
-- A key holds the time at which it will have recovered in nanoseconds since
-- 1970, as text: a number here has 53 bits, enough for that time in
-- microseconds or for three months in nanoseconds. So the last three digits
-- are kept apart.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local count = #KEYS
local held, spent, after, answer = {}, {}, {}, {}
local all = true

for i = 1, count do
  local every, burst, n = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local window = every * burst
  local s = 0
  held[i] = redis.call('GET', KEYS[i])
  if held[i] then
    s = (tonumber(string.sub(held[i], 1, -4)) - now) * 1000 + tonumber(string.sub(held[i], -3))
    s = math.min(math.max(s, 0), window)
  end
  spent[i] = s
  local ok = 1
  if n < 0 then
    s = math.max(s + math.max(n, -burst) * every, 0)
  elseif s + math.max(n, 1) * every > window then
    ok, all = 0, false
  else
    s = s + n * every
  end
  after[i], answer[2 * i - 1] = s, ok
end

for i = 1, count do
  local s = spent[i]
  if all then
    s = after[i]
  end
  answer[2 * i] = s
  if s > 0 then
    local text = string.format('%.0f%03d', now + math.floor(s / 1000), s % 1000)
    if text ~= held[i] then
      redis.call('SET', KEYS[i], text, 'PX', string.format('%.0f', math.ceil(s / 1000000)))
    end
  elseif held[i] then
    redis.call('DEL', KEYS[i])
  end
end
return answer

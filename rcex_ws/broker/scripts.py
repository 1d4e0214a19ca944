"""What runs inside Redis: each is one step that nothing else comes between. Pure texts.

All keys of a service begin with its prefix; `Names` makes them.

epoch             a hash: the epoch, and the run id of the Redis that it belongs to
log:<topic>       a stream: the log, of entries with the fields p (epoch and id of the entry before) and d (data)
sent:<node>       what became of the last batch of a node, so that sending it again appends nothing twice
group:<group>     a hash: what each node counts
alive:<node>      exists while the node lives
"""

from __future__ import annotations

import hashlib

from msgspec import Struct

__all__ = ["APPEND", "HEARTBEAT", "MEMBERS", "READ", "SCRIPTS", "SET_MEMBERS", "Names", "Script"]

_EPOCH = """
local function present_epoch(key, run, fresh)
  local kept = redis.call('HMGET', key, 'epoch', 'run')
  if kept[1] and kept[2] == run then return kept[1] end
  redis.call('HSET', key, 'epoch', fresh, 'run', run)
  return fresh
end
"""


_OLDEST = """
local function oldest_time(age)
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) - age)
end
"""


class Names(Struct, frozen=True):
    """The keys and channels of a service.

    Attributes:
        prefix: what all begin with.
        db: the number of the database: keys belong to one, channels to all.
    """

    prefix: str
    db: int

    def key(self, kind: str, name: str = "") -> str:
        """Return a key."""
        return f"{self.prefix}:{kind}:{name}" if name else f"{self.prefix}:{kind}"

    def channel(self, kind: str, name: str) -> str:
        """Return a channel."""
        return f"{self.prefix}:{self.db}:{kind}:{name}"


class Script(Struct, frozen=True):
    """A script, and the SHA-1 under which Redis keeps it."""

    source: str
    sha: str

    @classmethod
    def of(cls, source: str) -> Script:
        """Return the script of a source."""
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


#: Append entries and publish them. An entry whose number is not above the last one of its node was appended before, or
#: given up by the node: its old outcome is returned, or none.
#: KEYS: epoch, sent, logs. ARGV: run id, fresh epoch, most entries, age in ms; for each run of entries of one topic:
#: which key, channel, count, and number and data of each. Returns the epoch, and id and followers of each entry, or an
#: empty text and the reason.
APPEND = Script.of(
    _EPOCH
    + _OLDEST
    + """
local epoch = present_epoch(KEYS[1], ARGV[1], ARGV[2])
local most, age = ARGV[3], tonumber(ARGV[4])
local oldest = oldest_time(age)
local kept = redis.call('GET', KEYS[2])
local last = kept and tonumber(string.match(kept, '^%d+')) or 0
local known
local answer, outcomes, previous, touched = {}, {}, {}, {}
local at = 5
while at <= #ARGV do
  local which = tonumber(ARGV[at])
  local key, channel, count = KEYS[which], ARGV[at + 1], tonumber(ARGV[at + 2])
  at = at + 3
  local before, head, datas, places = nil, {}, {}, {}
  for _ = 1, count do
    local number, data = ARGV[at], ARGV[at + 1]
    at = at + 2
    if tonumber(number) <= last then
      if not known then
        known = {}
        for one, id, followers in string.gmatch(kept, ' (%d+) (%S+) (%d+)') do known[one] = {id, followers} end
      end
      local old = known[number]
      answer[#answer + 1] = old and old[1] or ''
      answer[#answer + 1] = old and tonumber(old[2]) or 'it was given up'
    else
      local from = previous[which]
      if not from then
        local newest = redis.pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
        from = newest[1] and newest[1][1] or '0-0'
      end
      local id = redis.pcall('XADD', key, 'MAXLEN', '~', most, '*', 'p', epoch .. '-' .. from, 'd', data)
      if type(id) == 'table' then
        if string.sub(id.err, 1, 8) == 'READONLY' then return id end
        answer[#answer + 1] = ''
        answer[#answer + 1] = id.err
      else
        if not before then before = from end
        if not touched[which] then touched[which] = true end
        previous[which] = id
        head[#head + 1] = id .. ' ' .. #data
        datas[#datas + 1] = data
        answer[#answer + 1] = id
        answer[#answer + 1] = 0
        places[#places + 1] = #answer
        outcomes[#outcomes + 1] = number .. ' ' .. id .. ' '
      end
    end
  end
  if before then
    local message = epoch .. ' ' .. before .. ' ' .. table.concat(head, ' ') .. '\\n' .. table.concat(datas)
    local followers = redis.call('PUBLISH', channel, message)
    for n, place in ipairs(places) do
      answer[place] = followers
      outcomes[#outcomes - #places + n] = outcomes[#outcomes - #places + n] .. followers
    end
  end
end
for which in pairs(touched) do
  redis.call('XTRIM', KEYS[which], 'MINID', '~', oldest)
  redis.call('PEXPIRE', KEYS[which], age)
end
local final = ARGV[#ARGV - 1]
if tonumber(final) > last then
  redis.call('SET', KEYS[2], final .. ' ' .. table.concat(outcomes, ' '), 'PX', 86400000)
end
return {epoch, answer}
"""
)

#: Read a log. KEYS: epoch, log. ARGV: run id, fresh epoch, the id to begin after or an empty text for the end alone,
#: how many, age in ms. Returns the epoch, the last id and its field p or empty texts, the time in ms before which
#: entries may have expired, and the entries.
READ = Script.of(
    _EPOCH
    + _OLDEST
    + """
local epoch = present_epoch(KEYS[1], ARGV[1], ARGV[2])
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local last = newest[1] or {'', {'', ''}}
local oldest = oldest_time(tonumber(ARGV[5]))
if ARGV[3] == '' or last[1] == '' then return {epoch, last[1], last[2][2], oldest, {}} end
return {epoch, last[1], last[2][2], oldest, redis.call('XRANGE', KEYS[2], '(' .. ARGV[3], '+', 'COUNT', ARGV[4])}
"""
)

#: Show that a node lives. KEYS: epoch, alive. ARGV: run id, fresh epoch, time to live in ms. Returns the epoch, and
#: whether the node was known to live.
HEARTBEAT = Script.of(
    _EPOCH
    + """
local known = redis.call('EXISTS', KEYS[2])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
return {present_epoch(KEYS[1], ARGV[1], ARGV[2]), known}
"""
)

#: Set what a node counts in groups. KEYS: groups. ARGV: node, expiry in ms, a value for each group, 0 to leave it.
SET_MEMBERS = Script.of(
    """
for which, key in ipairs(KEYS) do
  local value = ARGV[which + 2]
  if value == '0' then
    redis.call('HDEL', key, ARGV[1])
  else
    redis.call('HSET', key, ARGV[1], value)
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return #KEYS
"""
)

#: Return what each living node counts in a group, and forget the others. KEYS: group. ARGV: what the names of the keys
#: begin with that say who lives. Returns nodes and values.
MEMBERS = Script.of(
    """
local all, living = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #all, 2 do
  if redis.call('EXISTS', ARGV[1] .. all[at]) == 1 then
    living[#living + 1] = all[at]
    living[#living + 1] = all[at + 1]
  else
    redis.call('HDEL', KEYS[1], all[at])
  end
end
return living
"""
)

SCRIPTS = (APPEND, READ, HEARTBEAT, SET_MEMBERS, MEMBERS)

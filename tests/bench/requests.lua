-- requests.lua: what wrk sends: `wrk -s requests.lua URL -- KEY CONTACTS KIND CHATBOTS`. CONTACTS to
-- a request, in turn to as many chatbots as CHATBOTS says, from 123 on. KIND says what a request does
-- to the contacts that are there: change (other values each time), repeat (the same), or create (new
-- keys). Prints one line of figures at the end, which bench_http.py reads.

local keys = 100000 -- of requests with one contact
local sets = 8 -- of keys that batches take in turn, so that two at once are of different ones
local count, kind, chatbots
local sent = 0
local started = os.time() % 1000000 * 100000

-- A contact of about 255 bytes; `token` goes where the kind of request wants something that changes.
local function contact(key, token)
    local id = kind == "create" and "new_" .. token .. "_" .. key or string.format("user_%09d", key)
    local version = kind == "create" and "" or token
    return string.format(
        '{"external_id":"%s","name":"Person Number %d v%s","email":"person%d@example.com",'
            .. '"phonenumber":"+49301234567","stripe_accounts":[],"custom_attributes":{"plan":"pro",'
            .. '"score":%d,"city":"Berlin","tags":["a","b"],"since":"2024-01-05","active":true}}',
        id, key, version, key, key % 1000)
end

-- A body of many contacts costs too much to build each time; what is built is its pieces, between
-- which a token is put.
local batches = {}

local function pieces_of(set)
    local contacts = {}
    for i = 1, count do
        contacts[i] = contact(set * 1000000 + i * 97, "\1")
    end
    local pieces = {}
    for piece in ('{"users":[' .. table.concat(contacts, ",") .. "]}\1"):gmatch("([^\1]*)\1") do
        pieces[#pieces + 1] = piece
    end
    return pieces
end

function init(args)
    count, kind, chatbots = tonumber(args[2]), args[3], tonumber(args[4])
    wrk.method = "POST"
    wrk.headers["Authorization"] = "Bearer " .. args[1]
    wrk.headers["Content-Type"] = "application/json"
    math.randomseed(os.time())
    if count > 1 then
        for set = 1, sets do
            batches[set] = pieces_of(set)
        end
    end
end

function request()
    sent = sent + 1
    local token = kind == "repeat" and "1" or tostring(started + sent)
    local body
    if count > 1 then
        body = table.concat(batches[sent % sets + 1], token)
    else
        body = '{"users":[' .. contact(math.random(0, keys - 1), token) .. "]}"
    end
    local path = "/api/v1/chatbots/" .. 123 + sent % chatbots .. "/contacts"
    return wrk.format(nil, path, nil, body)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("figures: %d %d %d %d %d\n", summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end

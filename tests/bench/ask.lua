-- SPDX-License-Identifier: MIT
-- wrk -s ask.lua URL -- METHOD BODY-FILE PAUSE 'Name: value'...	(BODY-FILE "-": no body)
-- One request over and over; the last line is its outcome as JSON, times in microseconds. Between
-- an answer and the next request each connection waits 0 to PAUSE ms: streams that all began at
-- once would else stay in step, and their tokens arrive together.

function init(args)
	wrk.method = args[1]
	if args[2] ~= "-" then
		local file = assert(io.open(args[2], "rb"))
		wrk.body = file:read("*a")
		file:close()
	end
	local pause = tonumber(args[3])
	if pause > 0 then
		delay = function() return math.random(0, pause) end
	end
	for i = 4, #args do
		local name, value = args[i]:match("^([^:]+): (.*)$")
		wrk.headers[name] = value
	end
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format('\n{"requests":%d,"us":%d,"bytes":%d,"failed":%d,"p50":%d,"p99":%d}\n',
		summary.requests, summary.duration, summary.bytes,
		e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(50), latency:percentile(99)))
end

-- SPDX-License-Identifier: MIT
-- wrk -s ask.lua URL -- METHOD BODY-FILE 'Name: value'...	("-": no body)
-- One request over and over; the last line is its outcome as JSON, times in microseconds.

function init(args)
	wrk.method = args[1]
	if args[2] ~= "-" then
		local file = assert(io.open(args[2], "rb"))
		wrk.body = file:read("*a")
		file:close()
	end
	for i = 3, #args do
		local name, value = args[i]:match("^([^:]+): (.*)$")
		wrk.headers[name] = value
	end
	asked = wrk.format()
end

function request()
	return asked
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format('\n{"requests":%d,"us":%d,"bytes":%d,"failed":%d,"p50":%d,"p99":%d}\n',
		summary.requests, summary.duration, summary.bytes,
		e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(50), latency:percentile(99)))
end

/* SPDX-License-Identifier: MIT */
/*
 * response_fields: the texts of a response's head that do not depend on the exchange: reason
 * phrases, and the date, made once a second.
 */
#include "http/conn_state.h"

#include <time.h>

#include "tenantgate/base/clock.h"

/* Every status of base/err.h and of the handlers, in the names of RFC 9110 15 (431: RFC 6585, 499:
 * nginx's, only logged). */
static const struct {
	int		 status;
	const char	*reason;
} reasons[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 499, "Client Closed Request" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

/* May be empty: a client ignores the phrase (RFC 9112 4). */
const char *
status_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "";
}

/* IMF-fixdate (RFC 9110 5.6.7). "C" is the process's locale, so names of days and months are
 * English. */
const char *
server_date(struct http_server *s)
{
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;

	if (now == s->date_second)
		return s->date;
	s->date_second = now;
	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		s->date[0] = '\0';
	return s->date;
}

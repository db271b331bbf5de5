/* SPDX-License-Identifier: MIT */
/*
 * web_response: what the server sent, as a struct web_response: the few header fields that our
 * callers use, and libcurl's codes as the failures that they tell apart. Changes no transfer and
 * wakes nobody.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tenantgate/base/clock.h"
#include "wire/web_internal.h"

/* The first reason is the cause: what libcurl says afterwards (CURLE_WRITE_ERROR) only tells that a
 * callback of ours has refused. */
void
web_response_fail(struct web_response *a, enum web_failure failure, const char *fmt, ...)
{
	va_list ap;

	if (a->failure != WEB_FINE)
		return;
	a->failure = failure;
	va_start(ap, fmt);
	(void)vsnprintf(a->detail, sizeof(a->detail), fmt, ap);
	va_end(ap);
}

/* "Name: value" -> value, when the name is that one: in any case, blanks around the value are not
 * part of it (RFC 9110, 5.1 and 5.5). */
static bool
field_value(struct slice line, const char *name, struct slice *value)
{
	size_t n = strlen(name);

	if (line.len <= n || line.p[n] != ':' || !slice_is_nocase(slice_of(line.p, n), name))
		return false;
	*value = slice_trim(slice_of(line.p + n + 1, line.len - n - 1));
	return true;
}

/* Rounded up, 0 to a day: a server's number must not overflow ours. NaN fails the first test. */
static int
seconds_clamp(double seconds)
{
	if (!(seconds > 0))
		return 0;
	if (seconds >= WEB_DAY_S)
		return WEB_DAY_S;
	return (int)seconds + ((double)(int)seconds < seconds ? 1 : 0);
}

/* Retry-After (RFC 9110, 10.2.3): seconds, or a date. Fractions ("1.5") are not in the RFC, but
 * model servers send them. 0 for anything else. */
static int
retry_after_read(struct slice value)
{
	char text[64];
	char *end = NULL;
	double seconds;
	time_t date;

	(void)snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
	seconds = strtod(text, &end);
	if (end != text && *end == '\0')
		return seconds_clamp(seconds);
	date = curl_getdate(text, NULL);
	if (date == (time_t)-1)
		return 0;
	return seconds_clamp((double)date - (double)clock_wall_us() / 1e6);
}

/* OpenAI's own field, finer than Retry-After. */
static int
retry_after_ms_read(struct slice value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
	return seconds_clamp(strtod(text, NULL) / 1000);
}

/* Where both retry fields come, retry-after-ms counts, whichever is first. */
void
web_response_field(struct web_response *a, struct slice line)
{
	struct slice value;

	if (field_value(line, "Content-Type", &value))
		a->is_event_stream =
		    value.len >= 17 && slice_is_nocase(slice_of(value.p, 17), "text/event-stream");
	else if (field_value(line, "Retry-After", &value) && a->retry_after_s == 0)
		a->retry_after_s = retry_after_read(value);
	else if (field_value(line, "retry-after-ms", &value))
		a->retry_after_s = retry_after_ms_read(value);
}

/* The request has not left until the connection is there, with TLS's handshake. */
void
web_response_late(struct web_transfer *t, const char *what)
{
	curl_off_t began = 0;

	if (t->state == WEB_REQUESTED)
		(void)curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &began);
	if (t->state == WEB_REQUESTED && began == 0)
		what = "No connection was made in time, its TLS included.";
	web_response_fail(t->response, WEB_TIMEOUT, "%s", what);
}

/* Callers retry by these: after WEB_RESOLVE and WEB_CONNECT the server has certainly seen nothing;
 * after WEB_CUT it may have done everything. */
static enum web_failure
failure_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return WEB_FINE;
	case CURLE_COULDNT_RESOLVE_HOST:
		return WEB_RESOLVE;
	case CURLE_COULDNT_CONNECT:
		return WEB_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return WEB_TIMEOUT; /* of the connect: libcurl is given no other time-out */
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return WEB_CUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_USE_SSL_FAILED:
		return WEB_TLS;
	default:
		return WEB_OTHER;
	}
}

/* A connection was made once, and after it had ended libcurl could not make another: what went
 * before that may have done everything. */
static bool
is_of_second_connection(enum web_failure failure)
{
	return failure == WEB_RESOLVE || failure == WEB_CONNECT || failure == WEB_TLS ||
	    failure == WEB_TIMEOUT;
}

/* CURLINFO_REQUEST_SIZE counts the bytes of requests that have left: with none, even what must not
 * be done twice (a POST) may safely be sent again. */
void
web_response_end(struct web_transfer *t, CURLcode code)
{
	struct web_response *a = t->response;
	enum web_failure failure = failure_of(code);
	long sent = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
	a->sent = sent > 0;
	if (failure == WEB_FINE && a->failure == WEB_FINE && a->status == 0)
		web_response_fail(a, WEB_CUT, "Nothing came but an interim response (1xx).");
	if (failure == WEB_FINE && a->failure == WEB_FINE)
		return;
	a->unprocessed = !a->sent || (t->is_refused && a->status == 0);
	if (failure == WEB_FINE)
		return;
	if (!a->sent && web_certificate_fail(t, code))
		return;
	if (a->sent && is_of_second_connection(failure))
		web_response_fail(a, WEB_CUT,
		    "The connection ended before the response began, and another could not be "
		    "made.");
	web_response_fail(a, failure, "The request failed%s: %s.",
	    code == CURLE_OPERATION_TIMEDOUT ? " to connect in time" : "",
	    t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(code));
}

void
web_response_free(struct web_response *a)
{
	buf_free(&a->body);
}

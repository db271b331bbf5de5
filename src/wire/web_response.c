/* SPDX-License-Identifier: MIT */
/*
 * web_response: what the peer said, as a struct web_response: the few header fields we mind, and
 * libcurl's codes as the reasons our callers tell apart.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tenantgate/base/clock.h"
#include "wire/web_internal.h"

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

/* "Name: value" -> value, when the name is that one. */
static bool
field_value(struct slice line, const char *name, struct slice *value)
{
	size_t n = strlen(name);

	if (line.len <= n || line.p[n] != ':' || !slice_is_nocase(slice_of(line.p, n), name))
		return false;
	*value = slice_trim(slice_of(line.p + n + 1, line.len - n - 1));
	return true;
}

static int
seconds_clamp(double seconds)
{
	if (!(seconds > 0))
		return 0;
	if (seconds >= WEB_DAY_S)
		return WEB_DAY_S;
	return (int)seconds + ((double)(int)seconds < seconds ? 1 : 0);
}

/* Seconds (also "1.5"), or a date. */
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

static int
retry_after_ms_read(struct slice value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
	return seconds_clamp(strtod(text, NULL) / 1000);
}

static void
header_field_note(struct web_response *a, struct slice line)
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

/* The end of a header block: the answer's, or only an interim 1xx one. */
static void
block_end(struct web_transfer *t)
{
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) {
		t->response->retry_after_s = 0;
		t->response->is_event_stream = false;
		return;
	}
	t->response->status = (int)status;
	t->response->sent = true;
	t->state = WEB_BODY;
	web_mark_ready(t);
}

/* libcurl's callback: one line at a time, status lines, interim answers and trailers too. */
size_t
web_on_header(char *data, size_t size, size_t n, void *transfer)
{
	struct web_transfer *t = transfer;
	struct slice line = slice_of(data, size * n);

	t->last_data_us = clock_mono_us();
	t->header_bytes += line.len;
	if (t->header_bytes > WEB_HEADER_BYTES) {
		web_response_fail(t->response, WEB_TOO_LARGE, "header fields past %d bytes",
		    WEB_HEADER_BYTES);
		return 0;
	}
	if (t->state != WEB_REQUESTED)
		return size * n; /* trailers */
	while (line.len > 0 && (line.p[line.len - 1] == '\r' || line.p[line.len - 1] == '\n'))
		line.len--;
	if (line.len == 0)
		block_end(t);
	else
		header_field_note(t->response, line);
	return size * n;
}

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
		return WEB_TIMEOUT; /* the connect: no other is libcurl's */
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

void
web_response_end(struct web_transfer *t, CURLcode code)
{
	struct web_response *a = t->response;
	enum web_failure failure = failure_of(code);
	long sent = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
	a->sent = sent > 0;
	if (failure == WEB_FINE)
		return;
	web_response_fail(a, failure, "%s%s", code == CURLE_OPERATION_TIMEDOUT ? "connect: " : "",
	    t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(code));
}

void
web_response_free(struct web_response *a)
{
	buf_free(&a->body);
}

/* SPDX-License-Identifier: MIT */
/*
 * web_once: what is not GET or HEAD is sent at most once, and what is known of it when no response
 * came.
 *
 * libcurl by itself sends a request again, up to five times, when no byte of a response has come
 * and the kept connection has ended or the HTTP/2 stream was refused. The first may have been
 * processed. The second certainly was not: a stream refused by RST_STREAM with REFUSED_STREAM, or
 * above the last one that a GOAWAY names (RFC 9113, 8.7). libcurl tells them apart only in the
 * words of its trace, so they are looked for there. Words that a version of it does not say make a
 * refused stream look like a lost one, which is the safe error.
 */
#include <stdio.h>
#include <string.h>

#include "wire/web_internal.h"

/* ---- what the trace says ---- */

/* A GOAWAY is of a connection, and told to whichever of its transfers reads it. */
static void
goaway_heard(const struct web_transfer *reader, unsigned last_stream)
{
	struct web_transfer *t;

	LIST_FOREACH(t, &reader->web->transfers, link)
		if (t->state == WEB_REQUESTED && t->stream_id > last_stream &&
		    t->local_port == reader->local_port && t->remote_port == reader->remote_port)
			t->is_refused = true;
}

/* CURLOPT_DEBUGFUNCTION: no NUL at the end of data. All but text is passed over, the request's
 * secrets too. "recveived" is how 7.88 spells it. */
static int
trace_heard(CURL *easy, curl_infotype type, char *data, size_t size, void *transfer)
{
	struct web_transfer *t = transfer;
	char text[96];
	unsigned last_stream;

	(void)easy;
	if (type != CURLINFO_TEXT)
		return 0;
	(void)snprintf(text, sizeof(text), "%.*s", (int)size, data);
	if (strncmp(text, "REFUSED_STREAM", 14) == 0)
		t->is_refused = true;
	else if (sscanf(text, "Using Stream ID: %u", &t->stream_id) == 1)
		web_connection_is_http2(t->connection);
	else if (sscanf(text, "re%*[a-z] GOAWAY, error=%*d, last_stream=%u", &last_stream) == 1)
		goaway_heard(t, last_stream);
	return 0;
}

/* From when there is a connection on: earlier each record of TLS would be described too. Only what
 * is encrypted can be HTTP/2 (CURL_HTTP_VERSION_2TLS). */
static void
trace_begin(struct web_transfer *t)
{
	const char *scheme = NULL;

	if (curl_easy_getinfo(t->easy, CURLINFO_SCHEME, &scheme) != CURLE_OK || scheme == NULL ||
	    strcasecmp(scheme, "https") != 0)
		return;
	(void)curl_easy_setopt(t->easy, CURLOPT_DEBUGFUNCTION, trace_heard);
	(void)curl_easy_setopt(t->easy, CURLOPT_DEBUGDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_VERBOSE, 1L);
}

/* On a kept connection libcurl does not say that the stream was refused. In 7.88 it is the one
 * reason for which an HTTP/2 request is sent again there without a word in the error buffer
 * (lib/http2.c, lib/transfer.c); test_web_h2 asks a server for each of the others. */
static bool
resending_means_refused(const struct web_transfer *t)
{
	unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;

	return t->is_refused ||
	    (version >= 0x075800 && version < 0x075900 && t->stream_id > 0 &&
		t->curl_error[0] == '\0');
}

/* ---- at most once ---- */

static void
connection_taken(struct web_transfer *t, const struct web_ends *ends)
{
	long connects = 0;

	t->local_port = ends->local_port;
	t->remote_port = ends->remote_port;
	t->connection = web_connection_find(t->web, ends);
	(void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects == 0)
		web_connection_refuse_unasked(t->connection);
}

/*
 * CURLOPT_PREREQFUNCTION: called when a connection is there, right before the request is sent on
 * it; so a second call within one transfer is libcurl's own resending. While nothing has left us
 * (CURLINFO_REQUEST_SIZE) it may go on: another address of the host, or a connection that was dead
 * already. A refused stream is the caller's to try again, who counts the tries.
 */
static int
request_begins(void *transfer, char *remote, char *local, int remote_port, int local_port)
{
	struct web_transfer *t = transfer;
	long sent = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (sent == 0) {
		connection_taken(t, &(struct web_ends){ local, remote, local_port, remote_port });
		t->stream_id = 0;
		trace_begin(t);
		return CURL_PREREQFUNC_OK;
	}
	if (t->is_harmless)
		return CURL_PREREQFUNC_OK;
	t->is_refused = resending_means_refused(t);
	web_response_fail(t->response, WEB_CUT, "%s",
	    t->is_refused
		? "The server refused the request before it processed anything of it."
		: "The connection ended before the response began; what was sent is not sent "
		  "twice.");
	return CURL_PREREQFUNC_ABORT;
}

/* A fresh one is kept afterwards: only its first request needs it to be new. */
bool
web_once_set(struct web_transfer *t, const struct web_request *r)
{
	t->is_harmless = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
	if (r->fresh_connection && curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK)
		return false;
	return curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, request_begins) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t) == CURLE_OK;
}

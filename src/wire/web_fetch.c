/* SPDX-License-Identifier: MIT */
/*
 * web_fetch: how a transfer begins. The request is made into libcurl options, handed to the multi
 * handle and begun at once; the flow waits for the whole response (web_fetch) or only for its
 * header block (web_start). What comes then is web_transfer.c's.
 *
 * Until the header block has been delivered nobody but this wait has the transfer, so a cancelled
 * flow frees it; after web_start() it is the caller's, who ends it by web_stop().
 */
#include <assert.h>
#include <string.h>

#include "wire/web_internal.h"

/* flow_abort() before the caller has the transfer: it goes, and its connection with it, for half
 * of a response is still to come on it. */
static void
fetch_cancel(void *arg)
{
	web_transfer_free(arg);
}

/* CURLOPT_ERRORBUFFER must stay valid as long as the handle is in use: it is in the transfer, which
 * outlives that. CURLOPT_PRIVATE is how web.c finds the transfer of a finished handle. */
static bool
callbacks_set(struct web_transfer *t)
{
	CURL *easy = t->easy;

	return curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, web_on_header) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, web_on_write) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
}

/* NULL, and the failure in the response, when the request cannot even be made. */
static struct web_transfer *
fetch_begin(struct web *w, enum web_kind kind, const struct web_request *r, struct web_response *a)
{
	struct web_transfer *t;

	web_response_free(a);
	memset(a, 0, sizeof(*a));
	a->unprocessed = true; /* until it has begun */
	buf_init(&a->body, kind == WEB_WHOLE ? r->response_max : 0);
	t = web_transfer_new(w, kind, r, a);
	if (t == NULL) {
		web_response_fail(a, WEB_OTHER, "There is no memory for the request.");
		return NULL;
	}
	if (!callbacks_set(t) || !web_easy_prepare(t, r)) {
		web_response_fail(a, WEB_OTHER, "The request cannot be made: %s.",
		    t->curl_error[0] != '\0' ? t->curl_error : "libcurl refuses it");
		web_transfer_free(t);
		return NULL;
	}
	a->unprocessed = false;
	web_transfer_arm(t);
	return t;
}

/* The wait is registered before anything begins, for the lookup or libcurl's first turn may already
 * fail the transfer (a name that is not there, a refused connection): the flow is then woken, and
 * the transfer freed, when this returns. */
static enum flow_rc
fetch_wait(struct web_transfer *t, struct flow *f, enum web_waiting waiting)
{
	enum flow_rc rc = flow_wait(f, fetch_cancel, t);

	t->waiting = waiting;
	t->flow = f;
	web_lookup_begin(t);
	return rc;
}

enum flow_rc
web_fetch(struct flow *f, struct web *w, const struct web_request *r, struct web_response *out)
{
	struct web_transfer *t = fetch_begin(w, WEB_WHOLE, r, out);

	if (t == NULL)
		return FLOW_NEXT;
	return fetch_wait(t, f, WEB_WAIT_END);
}

enum flow_rc
web_start(struct flow *f, struct web *w, const struct web_request *r, struct web_transfer **out,
    struct web_response *response)
{
	struct web_transfer *t = fetch_begin(w, WEB_STREAM, r, response);

	*out = NULL;
	if (t == NULL)
		return FLOW_NEXT;
	t->out = out;
	return fetch_wait(t, f, WEB_WAIT_HEADERS);
}

/* ---- resting ---- */

/* What has arrived meanwhile stays, nearly always nothing. Paused, libcurl reads nothing more: the
 * bytes wait in the kernel, or at the server by TCP's or HTTP/2's flow control. Both directions
 * are, for with one alone libcurl looks at the socket once more, and keeps what it reads. */
void
web_rest(struct web_transfer *t)
{
	assert(t->magic == WEB_MAGIC && t->waiting == WEB_WAIT_NONE);
	buf_free(&t->pulled);
	if (t->arrived.len == 0)
		buf_free(&t->arrived);
	if (t->state == WEB_BODY && !t->paused)
		t->paused = curl_easy_pause(t->easy, CURLPAUSE_ALL) == CURLE_OK;
}

/* A server may answer before it has read all of the request. Nothing of it is sent again either:
 * libcurl does so only before the response's first byte. */
bool
web_request_is_sent(const struct web_transfer *t)
{
	curl_off_t sent = 0;

	if (t->state == WEB_ENDED)
		return true;
	(void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	return t->state == WEB_BODY && (size_t)sent >= t->body_bytes;
}

void
web_idle_at_most(struct web_transfer *t, uint64_t us)
{
	assert(t->magic == WEB_MAGIC);
	if (t->idle_timeout_us > 0 && t->idle_timeout_us <= us)
		return;
	t->idle_timeout_us = us;
	if (t->state != WEB_ENDED)
		web_transfer_arm(t);
}

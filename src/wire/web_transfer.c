/* SPDX-License-Identifier: MIT */
/*
 * web_transfer: the life of one request and its response.
 *
 *	web_start, web_fetch --> [requested] --header block--> [body] --end or failure--> [ended]
 *	                              |                         |  ^                         |
 *	                              |                  ceiling|  |web_pull          web_stop
 *	                              |                         v  |                         v
 *	                              |                       paused                      freed
 *	                              +---- refused, cut, a deadline ----> [ended]
 *
 * What always holds:
 *  - libcurl's callbacks append and mark the transfer ready; web_deliver() wakes the flow, once
 *    libcurl has returned. So nothing is freed, and no step runs, inside a callback.
 *  - A stream holds at most its ceiling (or one write of libcurl's) twice: what has arrived, and
 *    the piece that the caller has. A caller that does not pull stops the server by TCP's or
 *    HTTP/2's flow control.
 *  - web_transfer_end() is the one way into [ended]; libcurl then knows nothing of it any more.
 */
#include <assert.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "wire/web_internal.h"

/* libcurl writes at most CURL_MAX_WRITE_SIZE (16 KB) at once; room to spare for its unpausing. */
#define WEB_WRITE_SLACK (64 * 1024)

static void
transfer_mark_ready(struct web_transfer *t)
{
	if (t->ready)
		return;
	t->ready = true;
	TAILQ_INSERT_TAIL(&t->web->ready, t, ready_link);
}

static void
transfer_clear_ready(struct web_transfer *t)
{
	if (t->ready)
		TAILQ_REMOVE(&t->web->ready, t, ready_link);
	t->ready = false;
}

/* Out of libcurl's hands. Removing a handle whose response is not whole closes its connection (or
 * resets its HTTP/2 stream); a whole one's goes back to libcurl's cache of connections. The header
 * lists are freed after the handle has let go of them, for libcurl does not copy them. */
static void
transfer_detach(struct web_transfer *t)
{
	if (t->easy != NULL) {
		(void)curl_multi_remove_handle(t->web->multi, t->easy);
		web_easy_release(t->web, t->easy);
	}
	t->easy = NULL;
	web_lookup_end(t);
	curl_slist_free_all(t->fields);
	t->fields = NULL;
	timer_stop(&t->timer);
}

void
web_transfer_free(struct web_transfer *t)
{
	assert(t->magic == WEB_MAGIC);
	transfer_detach(t);
	transfer_clear_ready(t);
	LIST_REMOVE(t, link);
	timer_free(&t->timer);
	buf_free(&t->arrived);
	buf_free(&t->pulled);
	t->magic = 0;
	free(t);
}

/* The outcome is read before the handle is reset: web_response_end() asks it what was sent. */
void
web_transfer_end(struct web_transfer *t, CURLcode code)
{
	assert(t->magic == WEB_MAGIC && t->state != WEB_ENDED);
	web_response_end(t, code);
	transfer_detach(t);
	t->state = WEB_ENDED;
	t->paused = false;
	transfer_mark_ready(t);
}

/* ---- deadlines: ours, for libcurl has none for the first byte, nor one that a pause stops ---- */

/* When the next one is due, UINT64_MAX for none; and the sentence for it. While we have paused the
 * server its silence is our doing: no idle deadline. An error's first byte comes with its head. */
static uint64_t
transfer_due(const struct web_transfer *t, const char **what)
{
	bool speaks = t->has_body || (t->state == WEB_BODY && t->response->status >= 400);
	uint64_t due = UINT64_MAX, idle = t->last_data_us + t->idle_timeout_us;

	if (!t->has_body && t->first_byte_timeout_us > 0) {
		due = t->began_us + t->first_byte_timeout_us;
		*what = "No response began in time.";
	}
	if (speaks && t->idle_timeout_us > 0 && !t->paused && idle < due) {
		due = idle;
		*what = "The response stalled.";
	}
	if (t->total_timeout_us > 0 && t->began_us + t->total_timeout_us < due) {
		due = t->began_us + t->total_timeout_us;
		*what = "The response took too long.";
	}
	return due;
}

/* Not for each piece, which only moves last_data_us: a timer that fires early sets itself again. */
void
web_transfer_arm(struct web_transfer *t)
{
	const char *what = NULL;
	uint64_t due = transfer_due(t, &what);
	uint64_t now = clock_mono_us();

	if (due == UINT64_MAX)
		timer_stop(&t->timer);
	else
		timer_start(&t->timer, due > now ? due - now : 0);
}

/* Fires from the loop, never inside libcurl, so the transfer may end and be delivered here. */
static void
transfer_timer(void *arg)
{
	struct web_transfer *t = arg;
	const char *what = NULL;
	uint64_t due = transfer_due(t, &what);

	assert(t->magic == WEB_MAGIC && t->state != WEB_ENDED);
	if (due > clock_mono_us()) {
		web_transfer_arm(t);
		return;
	}
	web_response_late(t, what);
	web_transfer_end(t, CURLE_OK);
	web_deliver(t);
}

struct web_transfer *
web_transfer_new(struct web *w, enum web_kind kind, const struct web_request *r,
    struct web_response *a)
{
	struct web_transfer *t = xcalloc(1, sizeof(*t));

	t->magic = WEB_MAGIC;
	t->kind = kind;
	t->state = WEB_REQUESTED;
	t->web = w;
	t->response = a;
	t->response_max = r->response_max;
	t->body_bytes = r->body.len;
	t->began_us = clock_mono_us();
	t->first_byte_timeout_us = r->first_byte_timeout_us;
	t->idle_timeout_us = r->idle_timeout_us;
	t->total_timeout_us = r->total_timeout_us;
	buf_init(&t->arrived, r->response_max + WEB_WRITE_SLACK);
	buf_init(&t->pulled, r->response_max + WEB_WRITE_SLACK);
	LIST_INSERT_HEAD(&w->transfers, t, link);
	t->easy = web_easy_acquire(w);
	if (t->easy == NULL || !timer_init(&t->timer, w->worker, transfer_timer, t)) {
		web_transfer_free(t);
		return NULL;
	}
	return t;
}

/* ---- what arrives: libcurl's callbacks ---- */

/* The empty line after a header block. An interim response (1xx: RFC 9110, 15.2) has a block of its
 * own before the final one; what its fields said does not count. */
static void
header_block_end(struct web_transfer *t)
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
	web_transfer_arm(t);
	transfer_mark_ready(t);
}

/* One whole line at a time, its line break included, no NUL at its end: status lines, fields of
 * interim and final responses, empty lines, and trailers after the body. Taking fewer bytes than
 * given ends the transfer (CURLE_WRITE_ERROR). */
size_t
web_on_header(char *data, size_t size, size_t n, void *transfer)
{
	struct web_transfer *t = transfer;
	struct slice line = slice_of(data, size * n);

	t->last_data_us = clock_mono_us();
	t->header_bytes += line.len;
	if (t->header_bytes > WEB_HEADER_BYTES) {
		web_response_fail(t->response, WEB_TOO_LARGE,
		    "The response's header fields exceed %d bytes.", WEB_HEADER_BYTES);
		return 0;
	}
	if (t->state != WEB_REQUESTED)
		return size * n; /* a trailer */
	while (line.len > 0 && (line.p[line.len - 1] == '\r' || line.p[line.len - 1] == '\n'))
		line.len--;
	if (line.len == 0)
		header_block_end(t);
	else
		web_response_field(t->response, line);
	return size * n;
}

static size_t
whole_write(struct web_transfer *t, const char *data, size_t len)
{
	struct buf *body = &t->response->body;

	if (len > t->response_max - body->len) {
		web_response_fail(t->response, WEB_TOO_LARGE,
		    "The response's body exceeds %zu bytes.", t->response_max);
		return 0;
	}
	if (!buf_add(body, data, len)) {
		web_response_fail(t->response, WEB_NO_MEMORY,
		    "There is no memory for the response's body.");
		return 0;
	}
	return len;
}

/* Past the ceiling libcurl keeps the bytes, and gives them again after unpausing. A first write is
 * always taken, or the stream would never go on. */
static size_t
stream_write(struct web_transfer *t, const char *data, size_t len)
{
	if (t->arrived.len > 0 && t->arrived.len + len > t->response_max) {
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (!buf_add(&t->arrived, data, len)) {
		web_response_fail(t->response, WEB_NO_MEMORY,
		    "There is no memory for a piece of the response.");
		return 0;
	}
	transfer_mark_ready(t);
	return len;
}

size_t
web_on_write(char *data, size_t size, size_t n, void *transfer)
{
	struct web_transfer *t = transfer;

	t->last_data_us = clock_mono_us();
	if (!t->has_body) {
		t->has_body = true;
		web_transfer_arm(t); /* from the first byte's deadline to the idle one */
	}
	return t->kind == WEB_WHOLE ? whole_write(t, data, size * n)
				    : stream_write(t, data, size * n);
}

/* ---- who waits ---- */

/* The two buffers change places: the caller reads one while libcurl fills the other, no copy. */
static void
piece_swap(struct web_transfer *t, struct slice *piece)
{
	struct buf spent = t->pulled;

	buf_reset(&spent);
	t->pulled = t->arrived;
	t->arrived = spent;
	*piece = buf_view(&t->pulled);
}

static void
transfer_wake(struct web_transfer *t)
{
	struct flow *f = t->flow;

	t->flow = NULL;
	t->waiting = WEB_WAIT_NONE;
	flow_wake(f);
}

/* Now the transfer is the caller's, unless it failed before a status came. */
static void
deliver_headers(struct web_transfer *t)
{
	if (t->state == WEB_REQUESTED)
		return;
	if (t->response->status == 0) {
		transfer_wake(t);
		web_transfer_free(t); /* *out stays NULL: there is nothing to pull */
		return;
	}
	*t->out = t;
	transfer_wake(t);
}

static void
deliver_piece(struct web_transfer *t)
{
	if (t->arrived.len == 0 && t->state != WEB_ENDED)
		return;
	piece_swap(t, t->piece);
	transfer_wake(t);
}

static void
deliver_end(struct web_transfer *t)
{
	if (t->state != WEB_ENDED)
		return;
	transfer_wake(t);
	web_transfer_free(t);
}

/* May free the transfer. */
void
web_deliver(struct web_transfer *t)
{
	transfer_clear_ready(t);
	switch (t->waiting) {
	case WEB_WAIT_NONE:
		return;
	case WEB_WAIT_HEADERS:
		deliver_headers(t);
		return;
	case WEB_WAIT_PIECE:
		deliver_piece(t);
		return;
	case WEB_WAIT_END:
		deliver_end(t);
		return;
	}
}

/* ---- pulling ---- */

/* The caller's flow is aborted, but its end() still has the transfer, and stops it. */
static void
pull_cancel(void *arg)
{
	struct web_transfer *t = arg;

	t->flow = NULL;
	t->waiting = WEB_WAIT_NONE;
}

/* curl_easy_pause() may call the write callback, with what it had kept, before it returns: nobody
 * waits at that moment, so nothing is woken. */
static void
transfer_unpause(struct web_transfer *t)
{
	t->paused = false;
	t->last_data_us = clock_mono_us();
	(void)curl_easy_pause(t->easy, CURLPAUSE_CONT);
	web_transfer_arm(t);
}

/* Unpausing comes after the swap where there is something to give, so that the kept bytes go into
 * the emptied buffer; and before the look where there is not, for they may be what is pulled. */
enum flow_rc
web_pull(struct flow *f, struct web_transfer *t, struct slice *piece)
{
	assert(t->magic == WEB_MAGIC && t->waiting == WEB_WAIT_NONE);
	if (t->paused && t->arrived.len == 0)
		transfer_unpause(t);
	if (t->arrived.len == 0 && t->state != WEB_ENDED) {
		t->waiting = WEB_WAIT_PIECE;
		t->piece = piece;
		t->flow = f;
		return flow_wait(f, pull_cancel, t);
	}
	piece_swap(t, piece);
	if (t->paused)
		transfer_unpause(t);
	return FLOW_NEXT;
}

void
web_stop(struct web_transfer **transfer)
{
	if (*transfer != NULL)
		web_transfer_free(*transfer);
	*transfer = NULL;
}

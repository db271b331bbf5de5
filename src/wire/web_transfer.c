/* SPDX-License-Identifier: MIT */
/*
 * web_transfer: the life of one request and its answer.
 *
 *	web_start, web_fetch --> [asked] --header block--> [body] --last byte, failure--> [ended]
 *	                            |                         |  ^                           |
 *	                            |                  ceiling|  |web_pull                web_stop
 *	                            |                         v  |                           v
 *	                            |                       paused                         freed
 *	                            +---- refused, cut, a deadline ----> [ended]
 *
 * libcurl's callbacks append and stir; web_deliver() wakes, once libcurl has returned. A stream
 * holds at most its ceiling (or one write of libcurl's) twice: what has arrived, and the piece
 * handed out. web_transfer_end() is the one way into [ended]; nothing of libcurl's is left then.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "wire/web_internal.h"

#define WEB_WRITE_SLACK (64 * 1024)

void
web_mark_ready(struct web_transfer *t)
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

static void
transfer_release_easy(struct web_transfer *t)
{
	if (t->easy != NULL) {
		(void)curl_multi_remove_handle(t->web->multi, t->easy);
		web_easy_put_back(t->web, t->easy);
	}
	t->easy = NULL;
	curl_slist_free_all(t->fields);
	t->fields = NULL;
	timer_stop(&t->timer);
}

static void
transfer_free(struct web_transfer *t)
{
	assert(t->magic == WEB_MAGIC);
	transfer_release_easy(t);
	transfer_clear_ready(t);
	LIST_REMOVE(t, link);
	timer_free(&t->timer);
	buf_free(&t->arrived);
	buf_free(&t->handed);
	t->magic = 0;
	free(t);
}

void
web_transfer_end(struct web_transfer *t, CURLcode code)
{
	assert(t->magic == WEB_MAGIC && t->state != WEB_ENDED);
	web_response_end(t, code);
	transfer_release_easy(t);
	t->state = WEB_ENDED;
	t->paused = false;
	web_mark_ready(t);
}

/* ---- deadlines ---- */

/* When the next one is due, UINT64_MAX for none; and which. */
static uint64_t
transfer_due(const struct web_transfer *t, const char **what)
{
	uint64_t due = UINT64_MAX;

	if (t->state == WEB_REQUESTED && t->first_byte_timeout_us > 0) {
		due = t->began_us + t->first_byte_timeout_us;
		*what = "no answer began";
	}
	if (t->state == WEB_BODY && t->idle_timeout_us > 0 && !t->paused) {
		due = t->last_data_us + t->idle_timeout_us;
		*what = "the answer stalled";
	}
	if (t->total_timeout_us > 0 && t->began_us + t->total_timeout_us < due) {
		due = t->began_us + t->total_timeout_us;
		*what = "the answer took too long";
	}
	return due;
}

/* Pieces only move last_data_us; the timer finds out when it fires early, and is set again. */
static void
transfer_arm(struct web_transfer *t)
{
	const char *what = NULL;
	uint64_t due = transfer_due(t, &what);
	uint64_t now = clock_mono_us();

	if (due == UINT64_MAX)
		timer_stop(&t->timer);
	else
		timer_start(&t->timer, due > now ? due - now : 0);
}

static void
transfer_timer(void *arg)
{
	struct web_transfer *t = arg;
	const char *what = NULL;
	uint64_t due = transfer_due(t, &what);

	assert(t->magic == WEB_MAGIC && t->state != WEB_ENDED);
	if (due > clock_mono_us()) {
		transfer_arm(t);
		return;
	}
	web_response_fail(t->response, WEB_TIMEOUT, "%s in time", what);
	web_transfer_end(t, CURLE_OK);
	web_deliver(t);
}

/* ---- what arrives ---- */

static size_t
whole_write(struct web_transfer *t, const char *data, size_t len)
{
	struct buf *body = &t->response->body;

	if (len > t->response_max - body->len) {
		web_response_fail(t->response, WEB_TOO_LARGE, "body past %zu bytes",
		    t->response_max);
		return 0;
	}
	if (!buf_add(body, data, len)) {
		web_response_fail(t->response, WEB_NO_MEMORY, "no memory for the body");
		return 0;
	}
	return len;
}

static size_t
stream_write(struct web_transfer *t, const char *data, size_t len)
{
	if (t->arrived.len > 0 && t->arrived.len + len > t->response_max) {
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (!buf_add(&t->arrived, data, len)) {
		web_response_fail(t->response, WEB_NO_MEMORY, "no memory for the piece");
		return 0;
	}
	web_mark_ready(t);
	return len;
}

size_t
web_on_write(char *data, size_t size, size_t n, void *transfer)
{
	struct web_transfer *t = transfer;

	t->last_data_us = clock_mono_us();
	return t->kind == WEB_WHOLE ? whole_write(t, data, size * n)
				    : stream_write(t, data, size * n);
}

/* ---- who waits ---- */

static void
piece_hand(struct web_transfer *t, struct slice *piece)
{
	struct buf spent = t->handed;

	buf_reset(&spent);
	t->handed = t->arrived;
	t->arrived = spent;
	*piece = buf_view(&t->handed);
}

static void
transfer_wake(struct web_transfer *t)
{
	struct flow *f = t->flow;

	t->flow = NULL;
	t->waiting = WEB_NOBODY;
	flow_wake(f);
}

static void
deliver_headers(struct web_transfer *t)
{
	if (t->state == WEB_REQUESTED)
		return;
	if (t->response->status == 0) {
		transfer_wake(t);
		transfer_free(t); /* *out stays NULL: there is nothing to pull */
		return;
	}
	if (t->state == WEB_BODY)
		transfer_arm(t); /* from the first byte's deadline to the idle one */
	*t->out = t;
	transfer_wake(t);
}

static void
deliver_piece(struct web_transfer *t)
{
	if (t->arrived.len == 0 && t->state != WEB_ENDED)
		return;
	piece_hand(t, t->piece);
	transfer_wake(t);
}

static void
deliver_end(struct web_transfer *t)
{
	if (t->state == WEB_BODY)
		transfer_arm(t);
	if (t->state != WEB_ENDED)
		return;
	transfer_wake(t);
	transfer_free(t);
}

void
web_deliver(struct web_transfer *t)
{
	transfer_clear_ready(t);
	switch (t->waiting) {
	case WEB_NOBODY:
		return;
	case WEB_FOR_HEADERS:
		deliver_headers(t);
		return;
	case WEB_FOR_PIECE:
		deliver_piece(t);
		return;
	case WEB_FOR_END:
		deliver_end(t);
		return;
	}
}

/* Nobody has the transfer yet, or ever will. */
static void
cancel_and_free(void *arg)
{
	transfer_free(arg);
}

/* The story still owns the transfer, and stops it. */
static void
cancel_pull(void *arg)
{
	struct web_transfer *t = arg;

	t->flow = NULL;
	t->waiting = WEB_NOBODY;
}

/* ---- the door ---- */

static struct web_transfer *
transfer_new(struct web *w, enum web_kind kind, const struct web_request *r, struct web_response *a)
{
	struct web_transfer *t = xcalloc(1, sizeof(*t));

	t->magic = WEB_MAGIC;
	t->kind = kind;
	t->state = WEB_REQUESTED;
	t->web = w;
	t->response = a;
	t->response_max = r->response_max;
	t->began_us = clock_mono_us();
	t->first_byte_timeout_us = r->first_byte_timeout_us;
	t->idle_timeout_us = r->idle_timeout_us;
	t->total_timeout_us = r->total_timeout_us;
	buf_init(&t->arrived, r->response_max + WEB_WRITE_SLACK);
	buf_init(&t->handed, r->response_max + WEB_WRITE_SLACK);
	LIST_INSERT_HEAD(&w->transfers, t, link);
	t->easy = web_easy_take(w);
	if (t->easy == NULL || !timer_init(&t->timer, w->worker, transfer_timer, t)) {
		transfer_free(t);
		return NULL;
	}
	return t;
}

/* NULL, and the failure in the answer, when it cannot even be asked. */
static struct web_transfer *
transfer_begin(struct web *w, enum web_kind kind, const struct web_request *r,
    struct web_response *a)
{
	struct web_transfer *t;

	web_response_free(a);
	memset(a, 0, sizeof(*a));
	buf_init(&a->body, kind == WEB_WHOLE ? r->response_max : 0);
	t = transfer_new(w, kind, r, a);
	if (t == NULL) {
		web_response_fail(a, WEB_OTHER, "no memory for the request");
		return NULL;
	}
	if (!web_easy_prepare(t, r) || !web_add(w, t->easy)) {
		web_response_fail(a, WEB_OTHER, "%s",
		    t->curl_error[0] != '\0' ? t->curl_error : "the request cannot be asked");
		transfer_free(t);
		return NULL;
	}
	transfer_arm(t);
	return t;
}

/* It may have failed, and woken the flow, when this returns. */
static enum flow_rc
transfer_go(struct web_transfer *t, struct flow *f, enum web_waiting waiting)
{
	enum flow_rc rc = flow_wait(f, cancel_and_free, t);

	t->waiting = waiting;
	t->flow = f;
	web_go(t->web);
	return rc;
}

enum flow_rc
web_fetch(struct flow *f, struct web *w, const struct web_request *r, struct web_response *out)
{
	struct web_transfer *t = transfer_begin(w, WEB_WHOLE, r, out);

	if (t == NULL)
		return FLOW_NEXT;
	return transfer_go(t, f, WEB_FOR_END);
}

enum flow_rc
web_start(struct flow *f, struct web *w, const struct web_request *r, struct web_transfer **out,
    struct web_response *response)
{
	struct web_transfer *t = transfer_begin(w, WEB_STREAM, r, response);

	*out = NULL;
	if (t == NULL)
		return FLOW_NEXT;
	t->out = out;
	return transfer_go(t, f, WEB_FOR_HEADERS);
}

/* libcurl may call back at once with what it had kept: nobody waits then, so nothing is woken. */
static void
transfer_unpause(struct web_transfer *t)
{
	t->paused = false;
	t->last_data_us = clock_mono_us();
	(void)curl_easy_pause(t->easy, CURLPAUSE_CONT);
	transfer_arm(t);
}

enum flow_rc
web_pull(struct flow *f, struct web_transfer *t, struct slice *piece)
{
	assert(t->magic == WEB_MAGIC && t->waiting == WEB_NOBODY);
	if (t->paused && t->arrived.len == 0)
		transfer_unpause(t);
	if (t->arrived.len == 0 && t->state != WEB_ENDED) {
		t->waiting = WEB_FOR_PIECE;
		t->piece = piece;
		t->flow = f;
		return flow_wait(f, cancel_pull, t);
	}
	piece_hand(t, piece);
	if (t->paused)
		transfer_unpause(t);
	return FLOW_NEXT;
}

void
web_stop(struct web_transfer **transfer)
{
	if (*transfer != NULL)
		transfer_free(*transfer);
	*transfer = NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * http_fixture: the server's side. Each path is a flow of a step or two over the one struct
 * handler.
 */
#include "http_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/loop/flow.h"

struct handler {
	struct flow flow;
	struct http_fixture *fixture;
	struct http_exchange *x;
	struct buf body;
	struct buf whole; /* of /pieces: those that were taken */
	struct timer delay;
	unsigned words;
};

static enum flow_rc
read_body(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	s->fixture->reader = s;
	return http_read_body(f, s->x, &s->body);
}

static enum flow_rc
reply_body(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	http_reply(s->x, 200, "text/plain", buf_view(&s->body));
	return FLOW_NEXT;
}

static enum flow_rc
reply_hello(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	http_reply(s->x, 200, "text/plain", SLICE_LIT("hello\n"));
	return FLOW_NEXT;
}

static bool
refuse_large(void *arg, size_t bytes, struct err *err)
{
	(void)arg;
	if (bytes > WATCHED_MAX)
		err_set(err, ERR_OVERLOADED, "The watch has seen enough.");
	return !err_is(err);
}

static enum flow_rc
read_watched(struct flow *f)
{
	http_watch_body(((struct handler *)f)->x, refuse_large, NULL);
	return read_body(f);
}

static const struct err pieces_too_large = { .code = ERR_TOO_LARGE,
	.detail = "The pieces are too many." };

static enum flow_rc
await_piece(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	http_refuse_body(s->x, &pieces_too_large);
	s->fixture->reader = s;
	return http_read_body_piece(f, s->x, &s->body, PIECE_ENOUGH);
}

/* What a handler does with a piece takes ten seconds. */
static enum flow_rc
take_piece(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	if (!buf_slice(&s->whole, buf_view(&s->body)))
		abort();
	s->body.max -= s->body.len;
	buf_reset(&s->body);
	clock_test_advance(10 * 1000000);
	atomic_fetch_add(&s->fixture->pieces, 1);
	return http_body_is_complete(s->x) ? FLOW_NEXT : flow_goto(f, await_piece);
}

static enum flow_rc
reply_whole(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	http_reply(s->x, 200, "text/plain", buf_view(&s->whole));
	return FLOW_NEXT;
}

static enum flow_rc
reply_unread(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	http_reply(s->x, 401, "text/plain", SLICE_LIT("who?\n"));
	return FLOW_NEXT;
}

static enum flow_rc
delay(struct flow *f)
{
	return flow_sleep(f, &((struct handler *)f)->delay, 50000);
}

static enum flow_rc
long_delay(struct flow *f)
{
	return flow_sleep(f, &((struct handler *)f)->delay, 30000000);
}

static enum flow_rc
begin_stream(struct flow *f)
{
	http_stream_begin(((struct handler *)f)->x, 200, "text/plain");
	return FLOW_NEXT;
}

static enum flow_rc
stream_word(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	http_stream_add(s->x, SLICE_LIT("word "));
	if (++s->words == 20)
		http_stream_end(s->x);
	return s->words == 20 ? FLOW_DONE : http_stream_flush(f, s->x);
}

static enum flow_rc
stream_again(struct flow *f)
{
	return flow_goto(f, stream_word);
}

static enum flow_rc
flood_add(struct flow *f)
{
	static const char zeros[8192];
	struct handler *s = (struct handler *)f;

	http_stream_add(s->x, slice_of(zeros, sizeof(zeros)));
	atomic_store(&s->fixture->queued, http_stream_queued(s->x));
	atomic_fetch_add(&s->fixture->flooded, sizeof(zeros));
	return http_stream_flush(f, s->x);
}

static enum flow_rc
flood_again(struct flow *f)
{
	return flow_goto(f, flood_add);
}

static enum flow_rc
break_off(struct flow *f)
{
	http_stream_add(((struct handler *)f)->x, SLICE_LIT("half"));
	return flow_fail(f, ERR_MODEL, "The model broke off.");
}

static enum flow_rc
reply_nothing(struct flow *f)
{
	(void)f;
	return FLOW_DONE;
}

static const struct {
	const char *path;
	struct flow_step steps[5];
} handlers[] = {
	{ "/echo", { { "body", read_body }, { "reply", reply_body } } },
	{ "/watched", { { "body", read_watched }, { "reply", reply_body } } },
	{ "/pieces",
	    { { "piece", await_piece }, { "take", take_piece }, { "reply", reply_whole } } },
	{ "/sleep", { { "sleep", delay }, { "reply", reply_hello } } },
	{ "/unread", { { "reply", reply_unread } } },
	{ "/words",
	    { { "begin", begin_stream }, { "word", stream_word }, { "again", stream_again } } },
	{ "/flood", { { "begin", begin_stream }, { "add", flood_add }, { "again", flood_again } } },
	{ "/wait", { { "wait", long_delay }, { "reply", reply_hello } } },
	{ "/break", { { "begin", begin_stream }, { "break", break_off } } },
	{ "/crash", { { "nothing", reply_nothing } } },
};

#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

static void
handler_end(struct flow *f, const struct err *err)
{
	struct handler *s = (struct handler *)f;

	if (err_is(err) && http_status(s->x) == 0)
		http_reply(s->x, err_status(err->code), "text/plain", slice_str(err->detail));
	atomic_store(&s->fixture->queued, http_stream_queued(s->x));
	http_end(s->x);
	atomic_store(&s->fixture->ended_code, (int)err->code);
	if (s->fixture->reader == s)
		s->fixture->reader = NULL;
	atomic_fetch_add(&s->fixture->ended, 1);
}

static void
handler_release(struct flow *f)
{
	struct handler *s = (struct handler *)f;

	buf_free(&s->body);
	buf_free(&s->whole);
	timer_free(&s->delay);
	free(s);
}

static void
handler_start(struct http_fixture *h, struct http_exchange *x, unsigned which)
{
	static struct flow_kind kinds[HANDLERS];
	struct handler *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	kinds[which] = (struct flow_kind){ .name = handlers[which].path + 1,
		.steps = handlers[which].steps,
		.end = handler_end,
		.release = handler_release };
	s->fixture = h;
	s->x = x;
	buf_init(&s->body, FIXTURE_BODY_MAX);
	buf_init(&s->whole, FIXTURE_BODY_MAX);
	flow_start(&s->flow, &kinds[which], h->worker, NULL);
	http_attach(x, &s->flow);
}

/* The parameter q and the field X-Word, or 400 when either is not there. */
static void
respond_ask(struct http_exchange *x)
{
	struct arena *a = arena_new(65536);
	struct slice q = http_query_get(x, "q", a), word = http_header(x, "x-WORD");
	char text[512];

	snprintf(text, sizeof(text), "%.*s %.*s of %u from %s", SLICE_ARG(q), SLICE_ARG(word),
	    http_header_count(x, "X-Word"), http_remote(x));
	http_reply(x, q.p != NULL && word.p != NULL ? 200 : 400, "text/plain", slice_str(text));
	http_end(x);
	arena_free(a);
}

static void
handle(struct http_exchange *x, void *arg)
{
	struct http_fixture *h = arg;
	unsigned i = 0;

	atomic_fetch_add(&h->handled, 1);
	while (i < HANDLERS && !slice_is(http_path(x), handlers[i].path))
		i++;
	if (i < HANDLERS) {
		handler_start(h, x, i);
		return;
	}
	if (slice_is(http_path(x), "/ask")) {
		respond_ask(x);
		return;
	}
	if (!http_set(x, "X-Path", "hello") || http_set(x, "Bad name", "x") ||
	    http_set(x, "X", "a\r\nb") || http_set(x, "Content-Length", "1"))
		abort();
	http_reply(x, 200, "text/plain", SLICE_LIT("hello\n"));
	http_end(x);
}

static void
count_refusal(const struct http_exchange *x, const char *request_id, const struct err *why,
    void *arg)
{
	struct http_fixture *h = arg;
	const char *remote = http_remote(x);

	if (request_id[0] == '\0')
		abort();
	snprintf(h->refused_remote, sizeof(h->refused_remote), "%s", remote);
	atomic_store(&h->refused_code, (int)why->code);
	atomic_fetch_add(&h->refused, 1);
}

void
http_fixture_conf(struct http_conf *conf)
{
	http_conf_init(conf);
	conf->header_timeout_us = FIXTURE_TIMEOUT_US;
	conf->body_timeout_us = FIXTURE_TIMEOUT_US;
	conf->body_rate_min = 0;
	conf->send_timeout_us = FIXTURE_TIMEOUT_US;
	conf->keepalive_timeout_us = FIXTURE_TIMEOUT_US;
	conf->keepalive_min_timeout_us = 0;
	conf->server_name = "fixture";
}

void
http_fixture_open(struct http_fixture *h, const struct http_conf *conf)
{
	struct err err = { .code = ERR_NONE };

	memset(h, 0, sizeof(*h));
	clock_test_freeze(true);
	h->worker = worker_new(0);
	h->shared = http_shared_new();
	if (h->worker == NULL || h->shared == NULL)
		abort();
	h->server = http_open(h->worker, conf, h->shared, handle, count_refusal, h, &err);
	if (h->server == NULL)
		abort();
	h->port = http_port(h->server);
	if (!worker_start(h->worker))
		abort();
}

static void
abort_handlers(void *arg)
{
	struct http_fixture *h = arg;

	flow_abort_all(h->worker, ERR_SHUTDOWN, "The fixture closes.");
}

static void
look_at_body(void *arg)
{
	struct http_fixture *h = arg;

	atomic_store(&h->body_read, h->reader == NULL ? 0 : h->reader->body.len);
	atomic_fetch_add(&h->looked, 1);
}

bool
http_fixture_reads_body(struct http_fixture *h, size_t n)
{
	for (int i = 0; i < 4000; i++) {
		unsigned looked = atomic_load(&h->looked);

		worker_post(h->worker, &h->task, look_at_body, h);
		if (!http_fixture_waits_for(&h->looked, looked + 1))
			abort();
		if (atomic_load(&h->body_read) >= n)
			return true;
		usleep(5000);
	}
	return false;
}

static void
begin_drain(void *arg)
{
	struct http_fixture *h = arg;

	http_drain(h->server);
}

void
http_fixture_drain(struct http_fixture *h)
{
	worker_post(h->worker, &h->task, begin_drain, h);
}

void
http_fixture_close(struct http_fixture *h)
{
	clock_test_freeze(false);
	worker_post(h->worker, &h->task, abort_handlers, h);
	worker_stop(h->worker);
	worker_join(h->worker);
	while (flow_count(h->worker) > 0)
		worker_turn(h->worker, 0);
	http_close(h->server);
	worker_free(h->worker);
	if (http_shared_connections(h->shared) != 0)
		abort();
	http_shared_free(h->shared);
}

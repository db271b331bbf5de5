/* SPDX-License-Identifier: MIT */
/*
 * web_client_fixture: the flow's steps.
 *
 *	ask -> late -> pull -> slow -> took -+
 *	               ^---------------------+	until a piece is empty: the end
 */
#include "web_client_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum flow_rc stream_late(struct flow *), stream_pull(struct flow *),
    stream_slow(struct flow *), stream_took(struct flow *);

static const struct flow_step stream_steps[] = {
	{ "ask", stream_ask },
	{ "late", stream_late },
	{ "pull", stream_pull },
	{ "slow", stream_slow },
	{ "took", stream_took },
	{ NULL, NULL },
};

void
fetch_open(struct fetch *t, struct worker *w, struct web *web, const char *origin, const char *path)
{
	memset(t, 0, sizeof(*t));
	t->worker = w;
	t->web = web;
	(void)snprintf(t->url, sizeof(t->url), "%s%s", origin, path);
	t->request.method = "GET";
	t->request.url = t->url;
}

enum flow_rc
fetch_ask(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	return web_fetch(f, t->web, &t->request, &t->response);
}

void
fetch_start(struct fetch *t)
{
	probe_start(&t->probe, t->worker, fetch_ask, NULL);
}

void
fetch_run(struct fetch *t)
{
	fetch_start(t);
	turn_until(t->worker, &t->probe.ended);
	assert_false(err_is(&t->probe.err));
}

/* ---- a stream ---- */

static void
stream_stop(void *arg)
{
	web_stop(arg);
}

enum flow_rc
stream_ask(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	flow_defer(f, stream_stop, &t->transfer);
	return web_start(f, t->web, &t->request, &t->transfer, &t->response);
}

static enum flow_rc
stream_late(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	return t->first_delay_us > 0 ? flow_sleep(f, &t->timer, t->first_delay_us) : FLOW_NEXT;
}

static enum flow_rc
stream_pull(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	return web_pull(f, t->transfer, &t->piece);
}

static enum flow_rc
stream_slow(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	return t->each_delay_us > 0 ? flow_sleep(f, &t->timer, t->each_delay_us) : FLOW_NEXT;
}

static enum flow_rc
stream_took(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	if (t->piece.len == 0)
		return FLOW_DONE;
	t->pulled += t->piece.len;
	if (t->piece.len > t->largest)
		t->largest = t->piece.len;
	return flow_goto(f, stream_pull);
}

void
stream_start(struct fetch *t)
{
	probe_start(&t->probe, t->worker, stream_ask, NULL);
	t->probe.kind.steps = stream_steps;
}

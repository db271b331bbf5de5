/* SPDX-License-Identifier: MIT */
/*
 * Flows that are aborted at any moment, over HTTP and Redis peers of every kind: none is woken
 * twice, nothing is left behind (the sanitizers look), and those that stay get their responses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/fake_redis.h"
#include "tenantgate/wire/redis.h"
#include "../unit/web_fixture.h"

#define FLOWS 24
#define STEPS 6000

struct actor {
	struct fetch web;
	struct redis_reply reply;
	const char *word;
	bool left; /* aborted by us */
};

static struct peer redis_peer;
static struct dns *dns;
static struct redis *redis;
static unsigned answered, left, failed;

static unsigned
draw(unsigned below)
{
	return (unsigned)random() % below;
}

static enum flow_rc
redis_ask(struct flow *f)
{
	struct actor *a = (struct actor *)f;
	struct slice word = slice_str(a->word);

	return redis_command(f, redis, &word, 1, &a->reply);
}

static void
actor_stop(void *arg)
{
	struct actor *a = arg;

	web_stop(&a->web.transfer);
	web_response_free(&a->web.response);
	redis_clear(&a->reply);
}

static enum flow_rc
web_whole(struct flow *f)
{
	struct actor *a = (struct actor *)f;

	flow_defer(f, actor_stop, a);
	return web_fetch(f, web_fixture.web, &a->web.request, &a->web.response);
}

static enum flow_rc
web_stream(struct flow *f)
{
	struct actor *a = (struct actor *)f;

	flow_defer(f, actor_stop, a);
	return web_start(f, web_fixture.web, &a->web.request, &a->web.transfer, &a->web.response);
}

static enum flow_rc
web_piece(struct flow *f)
{
	struct actor *a = (struct actor *)f;

	return a->web.transfer == NULL ? FLOW_DONE : web_pull(f, a->web.transfer, &a->web.piece);
}

static enum flow_rc
web_more(struct flow *f)
{
	struct actor *a = (struct actor *)f;

	return a->web.piece.len == 0 ? FLOW_DONE : flow_goto(f, web_piece);
}

static enum flow_rc
redis_first(struct flow *f)
{
	flow_defer(f, actor_stop, f);
	return redis_ask(f);
}

static const struct flow_step whole[] = { { "whole", web_whole }, { NULL, NULL } };
static const struct flow_step stream[] = { { "stream", web_stream }, { "piece", web_piece },
	{ "more", web_more }, { NULL, NULL } };
static const struct flow_step asking[] = { { "ask", redis_first }, { "again", redis_ask },
	{ NULL, NULL } };

static void
actor_start(struct actor *a)
{
	static const char *const paths[] = { "/hello", "/cut", "/gone", "/silent", "/stall",
		"/stream", "/closing", "/once", "/flaky", "/busy" };
	static const char *const words[] = { "GET", "INCR", "LIST", "BAD", "GET", "INCR", "LEAVE",
		"RUBBISH" };
	static const struct flow_step *const actors_count[] = { whole, stream, asking };

	memset(a, 0, sizeof(*a));
	fetch_init(&a->web, paths[draw(10)]);
	a->web.request.first_byte_timeout_us = 20000;
	a->web.request.idle_timeout_us = 20000;
	a->word = words[draw(40) == 0 ? 6 + draw(2) : draw(6)];
	probe_start(&a->web.probe, web_fixture.worker, web_whole, NULL);
	a->web.probe.kind.steps = actors_count[draw(3)];
}

static void
actor_act(struct actor *a)
{
	if (a->web.probe.flow.kind != NULL && !a->web.probe.ended) {
		if (draw(4) == 0 && !a->left) {
			a->left = true;
			flow_abort(&a->web.probe.flow, ERR_CLIENT_GONE, "left");
		}
		return;
	}
	if (a->web.probe.flow.kind != NULL && a->web.probe.flow.state != FLOW_ENDED)
		return; /* ended, not yet released */
	left += a->left;
	failed += err_is(&a->web.probe.err) && !a->left;
	answered += a->web.probe.ended && !a->left;
	actor_start(a);
}

static void
wires_under_stress_lose_nothing(void **state)
{
	static struct actor actors[FLOWS];

	(void)state;
	srandom(42);
	for (int i = 0; i < STEPS; i++) {
		actor_act(&actors[draw(FLOWS)]);
		if (draw(3) == 0)
			worker_turn(web_fixture.worker, draw(3));
	}
	for (int i = 0; i < FLOWS; i++)
		turn_until(web_fixture.worker, &actors[i].web.probe.ended);
	print_message("%u answered, %u left, %u failed\n", answered, left, failed);
	assert_int_equal(failed, 0);
	assert_true(answered > STEPS / 20 && left > STEPS / 40);
	assert_int_equal(flow_count(web_fixture.worker), 0);
}

static int
set_up(void **state)
{
	static char url[64];
	struct redis_conf conf = { .url = url, .timeout_us = 50000, .pending_max = 16 };
	struct err err = { 0 };

	web_fixture_set_up(state);
	peer_open(&redis_peer, web_fixture.worker, 0, fake_redis_serve);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", redis_peer.port);
	dns = dns_open(web_fixture.worker, "127.0.0.1:9", 1000000);
	redis = redis_open(web_fixture.worker, dns, &conf, &err);
	assert_non_null(redis);
	return 0;
}

static int
tear_down(void **state)
{
	redis_close(redis);
	dns_close(dns);
	peer_close(&redis_peer);
	return web_fixture_tear_down(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wires_under_stress_lose_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

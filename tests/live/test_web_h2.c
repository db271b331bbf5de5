/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client over HTTP/2 against a true server (node's): one connection for all, a stream
 * that is not pulled stops the peer, one that is left is reset. Skipped (77) where there is no
 * node.
 */
#include <sys/wait.h>

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include "fake_peer.h"
#include "fake_tls.h"
#include "tenantgate/wire/web.h"

#define BIG	(1024 * 65536)
#define CEILING (256 * 1024)

extern char **environ;

struct fetch {
	struct probe probe;
	struct web_request request;
	struct web_response response;
	struct web_transfer *transfer;
	struct slice piece;
	struct timer nap;
	size_t pulled;
	char url[64];
};

static struct fake_tls tls;
static struct worker *worker;
static struct web *web;
static pid_t server_pid;
static int server_stdin;
static unsigned port;

static bool
server_start(void)
{
	const char *srcdir = getenv("srcdir") != NULL ? getenv("srcdir") : ".";
	char script[256], text[16] = "";
	char *argv[] = { "node", script, tls.cert, tls.key, NULL };
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	(void)snprintf(script, sizeof(script), "%s/tests/live/h2_server.mjs", srcdir);
	assert_int_equal(pipe(in) | pipe(out), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addclose(&actions, in[1]);
	if (posix_spawnp(&server_pid, "node", &actions, NULL, argv, environ) != 0)
		return false;
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	server_stdin = in[1];
	if (read(out[0], text, sizeof(text) - 1) <= 0)
		return false;
	close(out[0]);
	return sscanf(text, "%u", &port) == 1;
}

static void
server_stop(void)
{
	close(server_stdin);
	(void)waitpid(server_pid, NULL, 0);
}

/* ---- the stories ---- */

static void
fetch_init(struct fetch *t, const char *path)
{
	memset(t, 0, sizeof(*t));
	(void)snprintf(t->url, sizeof(t->url), "https://localhost:%u%s", port, path);
	t->request = (struct web_request){
		.method = "GET",
		.url = t->url,
		.first_byte_timeout_us = 3000000,
		.idle_timeout_us = 3000000,
		.response_max = CEILING,
	};
}

static enum flow_rc
fetch_step(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	return web_fetch(f, web, &t->request, &t->response);
}

static void
fetch_path(struct fetch *t, const char *path)
{
	fetch_init(t, path);
	probe_start(&t->probe, worker, fetch_step, NULL);
	turn_until(worker, &t->probe.ended);
}

static json_int_t
server_seen(const char *what)
{
	struct fetch t;
	json_t *seen;
	json_int_t n;

	fetch_path(&t, "/seen");
	seen = json_loadb(t.response.body.data, t.response.body.len, 0, NULL);
	assert_non_null(seen);
	n = json_integer_value(json_object_get(seen, what));
	json_decref(seen);
	web_response_free(&t.response);
	return n;
}

static void
stream_stop(void *arg)
{
	web_stop(arg);
}

static enum flow_rc
stream_ask(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	flow_defer(f, stream_stop, &t->transfer);
	return web_start(f, web, &t->request, &t->transfer, &t->response);
}

static enum flow_rc
stream_delay(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	return t->pulled == 0 ? flow_sleep(f, &t->nap, 500000) : FLOW_NEXT;
}

static enum flow_rc
stream_pull(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	return web_pull(f, t->transfer, &t->piece);
}

static enum flow_rc
stream_took(struct flow *f)
{
	struct fetch *t = (struct fetch *)f;

	t->pulled += t->piece.len;
	return t->piece.len == 0 ? FLOW_DONE : flow_goto(f, stream_pull);
}

static void
stream_start(struct fetch *t, const char *path)
{
	static const struct flow_step steps[] = {
		{ "ask", stream_ask },
		{ "nap", stream_delay },
		{ "pull", stream_pull },
		{ "took", stream_took },
		{ NULL, NULL },
	};

	fetch_init(t, path);
	probe_start(&t->probe, worker, stream_ask, NULL);
	t->probe.kind.steps = steps;
}

/* ---- the tests ---- */

static void
test_one_connection(void **state)
{
	static struct fetch t[50];

	(void)state;
	fetch_path(&t[0], "/hello");
	assert_int_equal(t[0].response.failure, WEB_FINE);
	assert_true(t[0].response.is_event_stream);
	web_response_free(&t[0].response);
	for (int i = 0; i < 50; i++) {
		fetch_init(&t[i], "/hello");
		probe_start(&t[i].probe, worker, fetch_step, NULL);
	}
	for (int i = 0; i < 50; i++) {
		turn_until(worker, &t[i].probe.ended);
		assert_int_equal(t[i].response.failure, WEB_FINE);
		assert_true(slice_is(buf_view(&t[i].response.body), "hello"));
		web_response_free(&t[i].response);
	}
	assert_int_equal(server_seen("sessions"), 1);
}

/* 64 MB poured at somebody who sleeps: others go on over the same connection, and the peer has not
 * been let to write it all. */
static void
test_pause(void **state)
{
	struct fetch t, other;

	(void)state;
	stream_start(&t, "/big");
	turn_for(worker, 300);
	fetch_path(&other, "/hello");
	assert_int_equal(other.response.failure, WEB_FINE);
	web_response_free(&other.response);
	assert_true(server_seen("written") < BIG);
	turn_until(worker, &t.probe.ended);
	assert_int_equal(t.response.failure, WEB_FINE);
	assert_int_equal(t.pulled, BIG);
	assert_int_equal(server_seen("sessions"), 1);
}

static void
test_leave(void **state)
{
	struct fetch t;
	json_int_t open;

	(void)state;
	fetch_init(&t, "/silent");
	probe_start(&t.probe, worker, fetch_step, NULL);
	turn_for(worker, 50);
	flow_abort(&t.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &t.probe.ended);
	stream_start(&t, "/big");
	turn_for(worker, 50);
	flow_abort(&t.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &t.probe.ended);
	turn_for(worker, 100);
	open = server_seen("open");
	assert_int_equal(server_seen("closed"), open); /* all but the one that asks, which is new */
	assert_int_equal(server_seen("sessions"), 1);
}

static void
test_cut(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/reset");
	assert_int_equal(t.response.failure, WEB_CUT);
	web_response_free(&t.response);
	fetch_path(&t, "/cut");
	assert_int_equal(t.response.failure, WEB_CUT);
	web_response_free(&t.response);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_connection),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_cut),
	};
	struct web_conf conf = { .ca_file = tls.cert, .connections_max = 8 };
	int failed = 77;

	fake_tls_make(&tls);
	if (server_start()) {
		worker = worker_new(0);
		web = web_open(worker, &conf);
		failed = cmocka_run_group_tests(tests, NULL, NULL);
		web_close(web);
		worker_free(worker);
		server_stop();
	} else {
		(void)printf("skipped: no node to serve HTTP/2\n");
	}
	fake_tls_clear(&tls);
	return failed;
}

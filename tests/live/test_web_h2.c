/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client over HTTP/2 against a real server (node's): one connection for all, a stream
 * that is not pulled stops the peer, one that is aborted is reset. Skipped (77) where there is no
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

#include "../unit/fake_tls.h"
#include "../unit/web_client_fixture.h"

#define BIG	(1024 * 65536)
#define CEILING (256 * 1024)

extern char **environ;

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

/* ---- the client ---- */

static void
h2_init(struct fetch *t, const char *path)
{
	char origin[64];

	(void)snprintf(origin, sizeof(origin), "https://localhost:%u", port);
	fetch_open(t, worker, web, origin, path);
	t->request.first_byte_timeout_us = 30000000;
	t->request.idle_timeout_us = 30000000;
	t->request.response_max = CEILING;
}

static void
h2_path(struct fetch *t, const char *path)
{
	h2_init(t, path);
	fetch_start(t);
	turn_until(worker, &t->probe.ended);
}

static json_int_t
server_seen(const char *what)
{
	struct fetch t;
	json_t *seen;
	json_int_t n;

	h2_path(&t, "/seen");
	seen = json_loadb(t.response.body.data, t.response.body.len, 0, NULL);
	assert_non_null(seen);
	n = json_integer_value(json_object_get(seen, what));
	json_decref(seen);
	web_response_free(&t.response);
	return n;
}

/* Pulled from half a second later on. */
static void
h2_stream(struct fetch *t, const char *path)
{
	h2_init(t, path);
	t->first_delay_us = 500000;
	stream_start(t);
}

/* ---- the tests ---- */

static void
requests_share_one_connection(void **state)
{
	static struct fetch t[50];

	(void)state;
	h2_path(&t[0], "/hello");
	assert_int_equal(t[0].response.failure, WEB_FINE);
	assert_true(t[0].response.is_event_stream);
	web_response_free(&t[0].response);
	for (int i = 0; i < 50; i++) {
		h2_init(&t[i], "/hello");
		fetch_start(&t[i]);
	}
	for (int i = 0; i < 50; i++) {
		turn_until(worker, &t[i].probe.ended);
		assert_int_equal(t[i].response.failure, WEB_FINE);
		assert_true(slice_is(buf_view(&t[i].response.body), "hello"));
		web_response_free(&t[i].response);
	}
	assert_int_equal(server_seen("sessions"), 1);
}

/* 64 MB sent to a client that does not read: others go on over the same connection, and the peer
 * could not write it all. */
static void
a_paused_stream_stops_no_other(void **state)
{
	struct fetch t, other;

	(void)state;
	h2_stream(&t, "/big");
	turn_for(worker, 300);
	h2_path(&other, "/hello");
	assert_int_equal(other.response.failure, WEB_FINE);
	web_response_free(&other.response);
	assert_true(server_seen("written") < BIG);
	turn_until(worker, &t.probe.ended);
	assert_int_equal(t.response.failure, WEB_FINE);
	assert_int_equal(t.pulled, BIG);
	assert_int_equal(server_seen("sessions"), 1);
}

static void
an_aborted_stream_stops_no_other(void **state)
{
	struct fetch t;
	json_int_t open;

	(void)state;
	h2_init(&t, "/silent");
	fetch_start(&t);
	turn_for(worker, 50);
	flow_abort(&t.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &t.probe.ended);
	h2_stream(&t, "/big");
	turn_for(worker, 50);
	flow_abort(&t.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &t.probe.ended);
	turn_for(worker, 100);
	open = server_seen("open");
	assert_int_equal(server_seen("closed"), open); /* all but the one that asks, which is new */
	assert_int_equal(server_seen("sessions"), 1);
}

static void
a_cut_connection_fails_its_streams(void **state)
{
	struct fetch t;

	(void)state;
	h2_path(&t, "/reset");
	assert_int_equal(t.response.failure, WEB_CUT);
	web_response_free(&t.response);
	h2_path(&t, "/cut");
	assert_int_equal(t.response.failure, WEB_CUT);
	web_response_free(&t.response);
}

/* How a POST ends, over a kept connection or one of its own; and what is known of it. */
static void
post_ends(const char *path, bool fresh, bool unprocessed)
{
	struct fetch t;
	json_int_t before = server_seen(path + 1);

	h2_init(&t, path);
	t.request.method = "POST";
	t.request.body = SLICE_LIT("x");
	t.request.fresh_connection = fresh;
	fetch_start(&t);
	turn_until(worker, &t.probe.ended);
	assert_int_equal(t.response.failure, WEB_CUT);
	assert_true(t.response.sent);
	assert_int_equal(t.response.unprocessed, unprocessed);
	web_response_free(&t.response);
	assert_int_equal(server_seen(path + 1), before + 1);
}

/* RFC 9113, 8.7: a refused stream, and one above the last that a GOAWAY names, are not processed.
 * libcurl would send these again, and also what a connection that just ends leaves open. */
static void
a_post_is_sent_once(void **state)
{
	static const struct {
		const char *path;
		bool unprocessed;
	} ends[] = { { "/refused", true }, { "/lost", false }, { "/farewell", false },
		{ "/broken", false }, { "/torn", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		post_ends(ends[i].path, false, ends[i].unprocessed);
		post_ends(ends[i].path, true, ends[i].unprocessed);
	}
	post_ends("/goaway", false,
	    true); /* above the last stream; on a new one ours is the first */
}

/* A GOAWAY is told to one transfer of its connection; it is of all. */
static void
a_goaway_is_of_all_streams(void **state)
{
	static struct fetch t[1 + 4];

	(void)state;
	h2_path(&t[0], "/hello");
	web_response_free(&t[0].response);
	for (int i = 0; i < 5; i++) {
		h2_init(&t[i], i == 0 ? "/crowd" : "/silent");
		t[i].request.method = "POST";
		t[i].request.body = SLICE_LIT("x");
		fetch_start(&t[i]);
	}
	for (int i = 0; i < 5; i++) {
		turn_until(worker, &t[i].probe.ended);
		assert_int_equal(t[i].response.failure, WEB_CUT);
		assert_true(t[i].response.unprocessed);
		web_response_free(&t[i].response);
	}
}

static void
a_creation_takes_a_connection_of_its_own(void **state)
{
	struct fetch t;
	json_int_t sessions;

	(void)state;
	sessions = server_seen("sessions");
	h2_init(&t, "/hello");
	t.request.method = "POST";
	t.request.body = SLICE_LIT("x");
	t.request.fresh_connection = true;
	fetch_start(&t);
	turn_until(worker, &t.probe.ended);
	assert_int_equal(t.response.failure, WEB_FINE);
	web_response_free(&t.response);
	assert_int_equal(server_seen("sessions"), sessions + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_share_one_connection),
		cmocka_unit_test(a_paused_stream_stops_no_other),
		cmocka_unit_test(an_aborted_stream_stops_no_other),
		cmocka_unit_test(a_cut_connection_fails_its_streams),
		cmocka_unit_test(a_post_is_sent_once),
		cmocka_unit_test(a_goaway_is_of_all_streams),
		cmocka_unit_test(a_creation_takes_a_connection_of_its_own),
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

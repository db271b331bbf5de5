/* SPDX-License-Identifier: MIT */
/*
 * web_fixture: the server's scripts, by path, and fetches from it.
 */
#include "web_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include <cmocka.h>

struct web_fixture web_fixture;

/* ---- the server's scripts ---- */

static void
big_more(struct bufferevent *bev, void *arg)
{
	static char block[32768];
	size_t n = web_fixture.big_left < sizeof(block) ? web_fixture.big_left : sizeof(block);

	(void)arg;
	web_fixture.big_left -= n;
	bufferevent_write(bev, block, n);
}

static void
big_begin(struct peer_conn *c)
{
	char head[128];

	web_fixture.big_left = BIG_BYTES;
	(void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
	    BIG_BYTES);
	peer_send(c, head);
	bufferevent_data_cb read_cb;
	bufferevent_event_cb event_cb;
	void *arg;

	bufferevent_getcb(c->bev, &read_cb, NULL, &event_cb, &arg);
	bufferevent_setcb(c->bev, read_cb, big_more, event_cb, arg);
}

static const struct script {
	const char *path;
	const char *says;
	bool hangs_up;
} scripts[] = {
	{ "/hello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false },
	{ "/posted", "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok", false },
	{ "/busy", "HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", false },
	{ "/busyms",
	    "HTTP/1.1 429 No\r\nretry-after-ms: 1500\r\nRetry-After: 9\r\nContent-Length: "
	    "0\r\n\r\n",
	    false },
	{ "/interim",
	    "HTTP/1.1 103 Early\r\nRetry-After: 3\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
	    "1\r\n\r\n1",
	    false },
	{ "/moved", "HTTP/1.1 302 Go\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n", false },
	{ "/cut", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf of it", true },
	{ "/gone", "", true },
	{ "/silent", "", false },
	{ "/head",
	    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n",
	    false },
	{ "/stall",
	    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
	    false },
	{ "/stream",
	    "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n"
	    "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nX-Trailer: yes\r\n\r\n",
	    false },
	{ "/closing", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true },
	{ "/once", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", true },
};

static void
script_play(struct peer_conn *c, const char *path)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(scripts[i].path, path) != 0)
			continue;
		peer_send(c, scripts[i].says);
		if (scripts[i].hangs_up)
			peer_hang_up(c);
		return;
	}
	if (strcmp(path, "/big") == 0)
		big_begin(c);
	else if (strcmp(path, "/flaky") == 0 && c->stage++ > 0)
		peer_hang_up(c);
	else if (strcmp(path, "/flaky") == 0)
		peer_send(c, scripts[0].says);
	else
		fail_msg("no script for %s", path);
}

static void
web_fixture_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	char path[64];
	int n;

	if (end.pos == -1)
		return;
	n = evbuffer_remove(in, web_fixture.last_request, sizeof(web_fixture.last_request) - 1);
	assert_true(n > 0);
	web_fixture.last_request[n] = '\0';
	web_fixture.requests++;
	assert_int_equal(sscanf(web_fixture.last_request, "%*s %63s", path), 1);
	script_play(c, path);
}

/* ---- the client ---- */

void
fetch_init(struct fetch *t, const char *path)
{
	char origin[64];

	(void)snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", web_fixture.peer.port);
	fetch_open(t, web_fixture.worker, web_fixture.web, origin, path);
	t->request.connect_timeout_us = FETCH_PATIENCE_US;
	t->request.first_byte_timeout_us = FETCH_PATIENCE_US;
	t->request.idle_timeout_us = FETCH_PATIENCE_US;
	t->request.response_max = CEILING;
}

void
fetch_path(struct fetch *t, const char *path)
{
	fetch_init(t, path);
	fetch_run(t);
}

int
web_fixture_set_up(void **state)
{
	struct web_conf conf = { .connections_max = 16, .user_agent = "tenantgate-test" };

	(void)state;
	web_fixture.requests = 0;
	web_fixture.worker = worker_new(0);
	web_fixture.web = web_open(web_fixture.worker, &conf);
	assert_non_null(web_fixture.web);
	peer_open(&web_fixture.peer, web_fixture.worker, 0, web_fixture_serve);
	return 0;
}

int
web_fixture_tear_down(void **state)
{
	(void)state;
	web_close(web_fixture.web);
	peer_close(&web_fixture.peer);
	worker_free(web_fixture.worker);
	return 0;
}

void
fetch_abort(const char *path, void (*start)(struct fetch *), unsigned ms)
{
	struct fetch t;
	unsigned closed = web_fixture.peer.closed, requests = web_fixture.requests;

	fetch_init(&t, path);
	start(&t);
	turn_until_count(web_fixture.worker, &web_fixture.requests, requests + 1);
	turn_for(web_fixture.worker, ms);
	assert_false(t.probe.ended);
	flow_abort(&t.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(web_fixture.worker, &t.probe.ended);
	turn_until_count(web_fixture.worker, &web_fixture.peer.closed, closed + 1);
	assert_int_equal(t.probe.err.code, ERR_CLIENT_GONE);
	assert_int_equal(web_fixture.peer.closed, closed + 1);
	web_response_free(&t.response);
}

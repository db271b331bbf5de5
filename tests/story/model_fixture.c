/* SPDX-License-Identifier: MIT */
/*
 * model_fixture: the scripted server, and what each test starts with.
 */
#include "model_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/base/log.h"
#include "tenantgate/loop/offload.h"
#include "turn_until_idle.h"

struct model_fixture model_fixture;

static void
play_response(struct peer_conn *c, const struct scripted_response *a)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t len = a->body == NULL ? 0 : strlen(a->body);
	const char *fields = a->fields == NULL ? "" : a->fields;

	if (a->form == LOST)
		peer_hang_up(c);
	if (a->form == SILENCE || a->form == LOST)
		return;
	if (a->form == WHOLE) {
		evbuffer_add_printf(out, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
		    a->status, fields, len, len == 0 ? "" : a->body);
		return;
	}
	evbuffer_add_printf(out,
	    "HTTP/1.1 %s\r\n%sContent-Type: text/event-stream\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n",
	    a->status, fields);
	if (len > 0)
		evbuffer_add_printf(out, "%zx\r\n%s\r\n", len, a->body);
	if (a->form == STREAM)
		evbuffer_add_printf(out, "0\r\n\r\n");
	else if (a->form == CUT)
		peer_hang_up(c);
}

/* The bytes of a whole request at the front, or 0. */
static size_t
request_length(struct evbuffer *in)
{
	const char *text, *end, *length;
	size_t have = evbuffer_get_length(in);

	evbuffer_add(in, "", 1); /* a NUL, so that it is a string */
	text = (const char *)evbuffer_pullup(in, -1);
	end = strstr(text, "\r\n\r\n");
	length = strstr(text, "Content-Length: ");
	if (end != NULL) {
		size_t need = (size_t)(end + 4 - text);

		need += length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0;
		have = need <= have ? need : 0;
	} else {
		have = 0;
	}
	return have;
}

static void
model_fixture_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev), *copy = evbuffer_new();
	size_t n;

	evbuffer_add_buffer_reference(copy, in);
	n = request_length(copy);
	evbuffer_free(copy);
	if (n == 0)
		return;
	buf_reset(&model_fixture.request);
	assert_non_null(buf_extend(&model_fixture.request, n));
	evbuffer_remove(in, model_fixture.request.data, n);
	buf_add(&model_fixture.lines, model_fixture.request.data,
	    strcspn(model_fixture.request.data, "\r"));
	buf_puts(&model_fixture.lines, "\n");
	model_fixture.requests++;
	assert_non_null(model_fixture.script);
	if (model_fixture.script[model_fixture.at].status == NULL)
		model_fixture.at = 0;
	play_response(c, &model_fixture.script[model_fixture.at++]);
}

void
model_fixture_conf(struct model_conf *conf)
{
	model_conf_init(conf);
	snprintf(model_fixture.url, sizeof(model_fixture.url), "http://127.0.0.1:%u/v1",
	    model_fixture.peer.port);
	conf->base_url = model_fixture.url;
	conf->api_key = "sk-secret";
	conf->chat_model = "talker";
	conf->embedding_model = "embedder";
	conf->dimensions = 3;
	conf->delta_max = 4096;
	conf->first_byte_timeout_us = 30 * 1000000ull;
	conf->idle_timeout_us = 30 * 1000000ull;
}

void
model_fixture_hurry(struct model_conf *conf)
{
	conf->first_byte_timeout_us = 600000;
	conf->idle_timeout_us = 500000;
}

void
model_fixture_reopen(const struct model_conf *conf)
{
	model_close(model_fixture.model);
	model_shares_close(model_fixture.shares);
	model_fixture.shares = model_shares_open(conf);
	model_fixture.model =
	    model_open(model_fixture.worker, model_fixture.web, model_fixture.shares, conf);
	assert_non_null(model_fixture.model);
}

void
model_fixture_script(const struct scripted_response *script)
{
	model_fixture.script = script;
	model_fixture.at = 0;
	model_fixture.requests = 0;
	buf_reset(&model_fixture.lines);
}

int
model_fixture_set_up(void **state)
{
	struct web_conf web = { .connections_max = 400 };
	struct model_conf conf;

	(void)state;
	memset(&model_fixture, 0, sizeof(model_fixture));
	log_level(LOG_ERR);
	buf_init(&model_fixture.request, 1 << 20);
	buf_init(&model_fixture.lines, 1 << 20);
	model_fixture.worker = worker_new(0);
	model_fixture.web = web_open(model_fixture.worker, &web);
	peer_open(&model_fixture.peer, model_fixture.worker, 0, model_fixture_serve);
	model_fixture_conf(&conf);
	model_fixture_reopen(&conf);
	return 0;
}

void
model_fixture_turn_until_idle(void)
{
	turn_until_idle(model_fixture.worker);
}

int
model_fixture_tear_down(void **state)
{
	(void)state;
	model_fixture_turn_until_idle();
	model_close(model_fixture.model);
	web_close(model_fixture.web);
	peer_close(&model_fixture.peer);
	worker_free(model_fixture.worker);
	offload_close(
	    model_fixture.offload); /* what a helper still writes borrows from the shares */
	model_shares_close(model_fixture.shares);
	buf_free(&model_fixture.request);
	buf_free(&model_fixture.lines);
	return 0;
}

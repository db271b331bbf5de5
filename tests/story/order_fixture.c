/* SPDX-License-Identifier: MIT */
/* order_fixture: see the header. */
#include "order_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct model_servers *second;
struct model_choice order_choices[2];
static char second_url[64];

int
order_set_up(void **state)
{
	struct model_conf conf;

	(void)model_fixture_set_up(state);
	model_fixture_conf(&conf);
	conf.retries = 1;
	model_fixture_reopen(&conf);
	(void)snprintf(second_url, sizeof(second_url), "http://127.0.0.1:%u/second",
	    model_fixture.peer.port);
	conf.base_url = second_url;
	conf.chat_model = "other";
	second = model_servers_new(&conf, NULL, NULL);
	order_choices[0] = model_fixture.model->chat_choices[0];
	order_choices[1] = second->choices[0];
	model_fixture.model->chat_choices = order_choices;
	model_fixture.model->chat_choice_count = 2;
	return 0;
}

int
order_tear_down(void **state)
{
	model_fixture_turn_until_idle();
	refs_give(&second->refs);
	return model_fixture_tear_down(state);
}

static void
asker_stop(void *arg)
{
	struct order_asker *a = arg;

	if (a->stream != NULL)
		(void)snprintf(a->name, sizeof(a->name), "%s", model_stream_name(a->stream));
	model_chat_stop(&a->stream);
}

static enum flow_rc
asker_ask(struct flow *f)
{
	struct order_asker *a = (struct order_asker *)f;
	const struct model_chat chat = { .messages = &a->message, .message_count = 1 };

	a->message = (struct model_message){ .role = "user", .content = a->text };
	flow_defer(f, asker_stop, a);
	return model_chat_start(f, model_fixture.model,
	    &(struct model_asker){ .tenant = slice_str(a->tenant) }, &chat, &a->stream);
}

void
order_begin(struct order_asker *a, const char *tenant)
{
	*a = (struct order_asker){ .tenant = tenant, .text = SLICE_LIT("why") };
	probe_start(&a->probe, model_fixture.worker, asker_ask, NULL);
}

void
order_chat_is(const char *tenant, enum err_code code, const char *name)
{
	struct order_asker a;

	order_begin(&a, tenant);
	turn_until(model_fixture.worker, &a.probe.ended);
	assert_int_equal(a.probe.err.code, code);
	assert_string_equal(a.name, name);
}

void
order_servers_got(unsigned first_count, unsigned second_count)
{
	unsigned seconds = 0;
	const char *at;

	model_fixture_turn_until_idle();
	buf_puts(&model_fixture.lines, "");
	for (at = model_fixture.lines.data;
	     at != NULL && (at = strstr(at, "/second/chat/completions")) != NULL; at++)
		seconds++;
	assert_int_equal(seconds, second_count);
	assert_int_equal(model_fixture.requests, first_count + second_count);
}

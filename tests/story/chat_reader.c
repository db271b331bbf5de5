/* SPDX-License-Identifier: MIT */
/*
 * chat_reader: ask, then pull after pull.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "chat_reader.h"

static void
chat_reader_stop(void *arg)
{
	struct chat_reader *t = arg;

	t->usage = model_chat_usage(t->stream);
	model_chat_stop(&t->stream);
}

static enum flow_rc
chat_reader_send(struct flow *f)
{
	struct chat_reader *t = (struct chat_reader *)f;
	const struct model_chat chat = { .messages = t->messages,
		.message_count = 2,
		.temperature = 0.25,
		.max_tokens = 99 };

	flow_defer(f, chat_reader_stop, t);
	return model_chat_start(f, model_fixture.model,
	    &(struct model_asker){ .tenant = SLICE_LIT("acme") }, &chat, &t->stream);
}

static enum flow_rc
chat_reader_pull(struct flow *f)
{
	struct chat_reader *t = (struct chat_reader *)f;

	t->pulls++;
	return model_chat_pull(f, t->stream, &t->delta);
}

static void
chat_reader_unheld(void *arg)
{
	((struct chat_reader *)arg)->held = false;
}

static enum flow_rc
chat_reader_took(struct flow *f)
{
	struct chat_reader *t = (struct chat_reader *)f;

	buf_slice(&t->received, t->delta.text);
	buf_slice(&t->thought, t->delta.reasoning);
	if (t->delta.finished)
		return FLOW_DONE;
	return t->held ? flow_wait(f, chat_reader_unheld, t) : FLOW_NEXT;
}

static enum flow_rc
chat_reader_again(struct flow *f)
{
	return flow_goto(f, chat_reader_pull);
}

static const struct flow_step chat_reader_steps[] = {
	{ "ask", chat_reader_send },
	{ "pull", chat_reader_pull },
	{ "took", chat_reader_took },
	{ "again", chat_reader_again },
	{ NULL, NULL },
};

void
chat_reader_start(struct chat_reader *t)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->received, 64 << 20);
	buf_init(&t->thought, 64 << 20);
	buf_puts(&t->received, "");
	buf_puts(&t->thought, "");
	t->messages[0] =
	    (struct model_message){ .role = "system", .content = SLICE_LIT("Be \"kind\".") };
	t->messages[1] = (struct model_message){ .role = "user", .content = SLICE_LIT("Hello?\n") };
	probe_start(&t->probe, model_fixture.worker, chat_reader_send, NULL);
	t->probe.kind.steps = chat_reader_steps;
}

void
chat_reader_run(struct chat_reader *t, const struct scripted_response *script)
{
	model_fixture_script(script);
	chat_reader_start(t);
	turn_until(model_fixture.worker, &t->probe.ended);
	assert_null(t->stream);
}

void
chat_reader_free(struct chat_reader *t)
{
	buf_free(&t->received);
	buf_free(&t->thought);
}

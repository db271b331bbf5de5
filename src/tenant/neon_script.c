/* SPDX-License-Identifier: MIT */
/*
 * neon_script: EVALSHA, and EVAL after NOSCRIPT, which runs nothing: so the script runs once.
 */
#include "tenant/neon_script.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tenantgate/base/log.h"

static flow_step_fn script_evalsha, script_eval, script_check;

static const struct flow_step script_steps[] = {
	{ "evalsha", script_evalsha },
	{ "eval", script_eval },
	{ "check", script_check },
	{ NULL, NULL },
};

static const struct flow_kind script_kind = { "neon_script", script_steps, NULL, NULL };

static enum flow_rc
script_evalsha(struct flow *f)
{
	struct neon_script *s = FLOW_OF(f, struct neon_script, &script_kind);

	s->words[0] = SLICE_LIT("EVALSHA");
	s->words[1] = slice_str(s->sha);
	return redis_command(f, s->redis, s->words, s->count, &s->reply);
}

/* At the first time, and after a restart or a SCRIPT FLUSH. */
static enum flow_rc
script_eval(struct flow *f)
{
	struct neon_script *s = FLOW_OF(f, struct neon_script, &script_kind);

	if (s->reply.status != REDIS_ERROR || !slice_starts(s->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	redis_clear(&s->reply);
	s->words[0] = SLICE_LIT("EVAL");
	s->words[1] = slice_str(s->text);
	return redis_command(f, s->redis, s->words, s->count, &s->reply);
}

/* A link that is down logs for itself; that Redis does not run the script is worth a line a minute:
 * a queue looks many times a second. */
static enum flow_rc
script_check(struct flow *f)
{
	static struct log_pace pace;
	struct neon_script *s = FLOW_OF(f, struct neon_script, &script_kind);

	if (s->reply.status == REDIS_ERROR && log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_ERR, "neon.script", NULL,
		    "Redis did not run a script (%.*s); until it does, each process takes its part "
		    "of Neon's rate for itself.",
		    SLICE_ARG(s->reply.text));
	return FLOW_DONE;
}

static void
script_word(struct neon_script *s, struct slice word)
{
	assert(s->count < SCRIPT_WORDS_MAX);
	s->words[s->count++] = word;
}

void
neon_script_begin(struct neon_script *s, struct redis *redis, const char *text, const char *keys)
{
	neon_script_free(s);
	s->redis = redis;
	s->text = text;
	redis_script_sha(text, s->sha);
	s->number_count = 0;
	s->count = 2;
	script_word(s, slice_str(keys));
}

void
neon_script_text(struct neon_script *s, const char *text)
{
	script_word(s, slice_str(text));
}

void
neon_script_number(struct neon_script *s, uint64_t number)
{
	char *text = s->numbers[s->number_count];

	assert(s->number_count < SCRIPT_NUMBERS_MAX);
	s->number_count++;
	snprintf(text, sizeof(s->numbers[0]), "%llu", (unsigned long long)number);
	script_word(s, slice_str(text));
}

enum flow_rc
neon_script_run(struct flow *f, struct neon_script *s)
{
	return flow_call(f, &s->flow, &script_kind);
}

bool
neon_script_int(const struct neon_script *s, unsigned i, uint64_t *out)
{
	int64_t n;

	if (s->reply.status != REDIS_OK || !redis_int_at(&s->reply, i, &n) || n < 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

void
neon_script_free(struct neon_script *s)
{
	redis_clear(&s->reply);
}

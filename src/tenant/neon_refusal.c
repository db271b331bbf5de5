/* SPDX-License-Identifier: MIT */
/*
 * neon_refusal: Neon words its limits as codes ("PROJECTS_LIMIT_EXCEEDED") and in messages ("user
 * projects limit of 1 exceeded, got 1"); the code is often empty, and the status 422, or 403 where
 * it is the plan's.
 */
#include "tenant/neon_refusal.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "tenantgate/base/backoff.h"

#define DENIED_WAIT_S 10 /* an operator mends that, and should not have to wait long */

/* A limit is lifted by people, in minutes or days: asking more often than this only takes calls
 * away from tenants who are within theirs. */
static const struct backoff limit_backoff = { 20 * 1000000ull, 15 * 60 * 1000000ull, 200 };

static bool
has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; *text != '\0'; text++) {
		if (strncasecmp(text, word, n) == 0)
			return true;
	}
	return false;
}

static bool
tells_limit(const char *text)
{
	static const char *const words[] = { "limit", "quota", "exceeded", "billing", "payment",
		NULL };
	size_t i;

	for (i = 0; words[i] != NULL; i++) {
		if (has_word(text, words[i]))
			return true;
	}
	return false;
}

enum neon_refusal
neon_refusal_of(int status, const char *code, const char *message)
{
	if (status < 400 || status > 499 || status == 423)
		return REFUSAL_NONE;
	if (status == 429)
		return REFUSAL_PATIENCE;
	if (status == 402 || status == 422)
		return REFUSAL_LIMIT;
	if (status == 403 && (tells_limit(code) || tells_limit(message)))
		return REFUSAL_LIMIT;
	return REFUSAL_DENIED;
}

static int
at_least(int a, int b)
{
	return a > b ? a : b;
}

int
neon_refusal_wait_s(enum neon_refusal refusal, unsigned refusals, int retry_after_s)
{
	uint64_t asked_us = (uint64_t)at_least(retry_after_s, 0) * 1000000;

	switch (refusal) {
	case REFUSAL_LIMIT:
		return (int)((backoff_us(&limit_backoff, refusals, asked_us) + 999999) / 1000000);
	case REFUSAL_DENIED:
		return at_least(retry_after_s, DENIED_WAIT_S);
	case REFUSAL_PATIENCE:
		return at_least(retry_after_s, 1);
	case REFUSAL_NONE:
		break;
	}
	return at_least(retry_after_s, 0);
}

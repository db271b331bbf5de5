/* SPDX-License-Identifier: MIT */
/* model_breaker.c: see the header. What is logged is logged without the lock. */
#include "model/model_breaker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/log.h"

#define SECOND_US      1000000ull
#define ILL_AFTER      3		 /* failures in a row: not yet open, but worth a look */
#define FORGET_US      (300 * SECOND_US) /* after the last failure: it may be well by now */
#define QUOTA_US       (300 * SECOND_US) /* between two probes of a quota */
#define PAUSE_MAX_S    3600
#define PAUSE_NOTICE_S 5 /* a shorter one is waited through by those who ask */

static const struct circuit_conf model_circuit = { BREAKER_FAILURES,
	{ 5 * SECOND_US, 60 * SECOND_US, 200 } };
static const struct circuit_conf uncounted = { 0, { 5 * SECOND_US, 60 * SECOND_US, 200 } };

void
model_breaker_init(struct model_breaker *b, const char *stage, const char *server)
{
	memset(b, 0, sizeof(*b));
	b->stage = stage;
	b->server = server;
	if (pthread_mutex_init(&b->mutex, NULL) != 0)
		abort();
}

void
model_breaker_destroy(struct model_breaker *b)
{
	pthread_mutex_destroy(&b->mutex);
}

/* ---- under the lock ---- */

static void
forget_failures(struct model_breaker *b)
{
	b->failures = b->tenant_failures = 0;
	b->tenant[0] = '\0';
	b->is_without_quota = false;
	circuit_heard(&b->circuit);
}

/* Also notes whose it was. True when it is one too many of one tenant's. A failure that nobody
 * caused is nobody's, and does not end a tenant's row. */
static bool
tenant_had_its_share(struct model_breaker *b, const struct breaker_end *end)
{
	if (end->word != BREAKER_FAILED_AT_IT)
		return false;
	if (end->tenant.len == 0 || !slice_is(end->tenant, b->tenant))
		b->tenant_failures = 0;
	(void)snprintf(b->tenant, sizeof(b->tenant), "%.*s", SLICE_ARG(end->tenant));
	return ++b->tenant_failures > TENANT_FAILURES;
}

static void
note_failure(struct model_breaker *b, const struct breaker_end *end, uint64_t now)
{
	if (b->failures++ == 0)
		b->since_us = now;
	b->failed_us = now;
	b->status = end->status;
	b->has_timed_out = end->has_timed_out;
}

/* A probe that fails for whoever failed last proves nothing new: the next one may be another's. */
static void
failed(struct model_breaker *b, const struct breaker_end *end, uint64_t now)
{
	bool is_of_last = end->tenant.len > 0 && slice_is(end->tenant, b->tenant);
	bool too_many;

	if (!b->circuit.is_open && b->failures > 0 && now - b->failed_us > FORGET_US)
		forget_failures(b);
	too_many = tenant_had_its_share(b, end);
	note_failure(b, end, now);
	if (end->word == BREAKER_QUOTA) {
		b->is_without_quota = true;
		circuit_open_until(&b->circuit, now + QUOTA_US);
	} else if (end->by_probe && end->word == BREAKER_FAILED_AT_IT && is_of_last) {
		b->circuit.retry_us = now;
	} else {
		circuit_failed(&b->circuit, too_many ? &uncounted : &model_circuit, end->by_probe,
		    now);
	}
}

/* What the last failure was, for operators. */
static void
failure_text(const struct model_breaker *b, char *out, size_t size)
{
	if (b->status != 0)
		snprintf(out, size, "HTTP %d", b->status);
	else
		snprintf(out, size, "%s",
		    b->has_timed_out ? "it did not answer in time" : "it could not be reached");
}

/* ---- calls ---- */

bool
model_breaker_admits(struct model_breaker *b, uint64_t now, bool *is_probe,
    struct breaker_refusal *out)
{
	bool admits = false;

	pthread_mutex_lock(&b->mutex);
	*is_probe = false;
	if (now < b->paused_until_us) {
		out->reason = BREAKER_PAUSED;
		out->rest_us = b->paused_until_us - now;
	} else {
		admits = circuit_admits(&b->circuit, now, is_probe);
		out->reason = b->is_without_quota ? BREAKER_NO_QUOTA : BREAKER_ILL;
		out->rest_us = b->circuit.retry_us > now ? b->circuit.retry_us - now : 0;
	}
	pthread_mutex_unlock(&b->mutex);
	out->rest_s = (int)((out->rest_us + SECOND_US - 1) / SECOND_US);
	if (out->rest_s == 0)
		out->rest_s = 1;
	return admits;
}

static void
log_change(const struct model_breaker *b, bool is_open, const char *why)
{
	if (is_open)
		log_event(LOG_ERR, "model.breaker", NULL,
		    "The %s of server '%s' is asked nothing for a while, but for one call at a "
		    "time that finds out whether it is back (%s); look at its URL, its key and its "
		    "quota.",
		    b->stage, b->server, why);
	else
		log_event(LOG_NOTICE, "model.back", NULL, "The %s of server '%s' answers again.",
		    b->stage, b->server);
}

void
model_breaker_ended(struct model_breaker *b, const struct breaker_end *end, uint64_t now)
{
	bool was_open, is_open;
	char why[64];

	pthread_mutex_lock(&b->mutex);
	was_open = b->circuit.is_open;
	if (end->by_probe)
		circuit_probe_ended(&b->circuit);
	if (end->word == BREAKER_HEARD)
		forget_failures(b);
	else if (end->word != BREAKER_NOTHING)
		failed(b, end, now);
	is_open = b->circuit.is_open;
	failure_text(b, why, sizeof(why));
	pthread_mutex_unlock(&b->mutex);
	if (was_open != is_open)
		log_change(b, is_open, why);
}

/* The longest one counts: a shorter one is of a call that asked at about the same time. */
void
model_breaker_pause(struct model_breaker *b, int seconds, int status, uint64_t now)
{
	uint64_t until;
	bool is_news;

	if (seconds <= 0)
		return;
	if (seconds > PAUSE_MAX_S)
		seconds = PAUSE_MAX_S;
	until = now + (uint64_t)seconds * SECOND_US;
	pthread_mutex_lock(&b->mutex);
	is_news = now >= b->paused_until_us && seconds > PAUSE_NOTICE_S;
	if (b->paused_until_us < until) {
		b->paused_until_us = until;
		b->paused_status = status;
	}
	pthread_mutex_unlock(&b->mutex);
	if (is_news)
		log_event(LOG_WARNING, "model.pause", NULL,
		    "The %s of server '%s' asked for a pause of %d s (HTTP %d) and is asked "
		    "nothing until then; if this goes on, look at its limits.",
		    b->stage, b->server, seconds, status);
}

/* ---- what operators see ---- */

static void
failures_condition(const struct model_breaker *b, struct condition *out, uint64_t now)
{
	char why[64];

	if (now - b->failed_us > FORGET_US || (b->failures < ILL_AFTER && !b->circuit.is_open))
		return;
	failure_text(b, why, sizeof(why));
	condition_ill(out,
	    "The last %u calls of the %s failed (%s), the first one %llu s ago; look at server "
	    "'%s', its key and its quota.",
	    b->failures, b->stage, why, (unsigned long long)((now - b->since_us) / SECOND_US),
	    b->server);
}

bool
model_breaker_is_open(struct model_breaker *b)
{
	bool is_open;

	pthread_mutex_lock(&b->mutex);
	is_open = b->circuit.is_open;
	pthread_mutex_unlock(&b->mutex);
	return is_open;
}

void
model_breaker_condition(struct model_breaker *b, struct condition *out, uint64_t now)
{
	pthread_mutex_lock(&b->mutex);
	if (b->is_without_quota)
		condition_ill(out,
		    "The quota of the %s has been used up for %llu s (HTTP %d); raise it at server "
		    "'%s'.",
		    b->stage, (unsigned long long)((now - b->since_us) / SECOND_US), b->status,
		    b->server);
	else if (b->paused_until_us > now + PAUSE_NOTICE_S * SECOND_US)
		condition_ill(out,
		    "The %s asked for a pause (HTTP %d) of which %llu s are left; look at the "
		    "limits of server '%s'.",
		    b->stage, b->paused_status,
		    (unsigned long long)((b->paused_until_us - now) / SECOND_US), b->server);
	else if (b->failures > 0)
		failures_condition(b, out, now);
	pthread_mutex_unlock(&b->mutex);
}

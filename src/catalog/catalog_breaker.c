/* SPDX-License-Identifier: MIT */
/* catalog_breaker.c: see the header. What is logged is logged without the lock. */
#include "catalog/catalog_breaker.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/log.h"

#define SECOND_US    1000000ull
#define WATCH_US     (60 * SECOND_US) /* who asked for the condition is thought to ask again */
#define OPEN_LAST_US (30 * SECOND_US) /* an open lane that nobody asks tells nothing any more */
#define SILENCE_US   (900 * 1000ull)  /* while it is watched: longer, and it is probed */

/* A lane whose own statements hang. When it is the server, probes say sooner that it is back. */
static const struct circuit_conf lane_circuit = { LANE_FAILURES,
	{ 2 * SECOND_US, 10 * SECOND_US, 200 } };

void
breaker_init(struct catalog_breaker *b)
{
	memset(b, 0, sizeof(*b));
	if (pthread_mutex_init(&b->mutex, NULL) != 0)
		abort();
}

void
breaker_destroy(struct catalog_breaker *b)
{
	pthread_mutex_destroy(&b->mutex);
}

static bool
is_failure(enum catalog_word word)
{
	return word == WORD_UNREACHED || word == WORD_HUNG;
}

/* ---- under the lock ---- */

/* What a lane learnt of a server that was gone says nothing of it now. A statement that is let
 * through one is still under way. */
static void
heard(struct catalog_breaker *b, uint64_t now)
{
	for (unsigned i = 0; b->is_gone && i < CATALOG_LANES; i++)
		circuit_heard(&b->lanes[i]);
	b->is_unreached = b->is_gone = false;
	b->heard_us = now;
}

static void
unreached(struct catalog_breaker *b, const char *reason, uint64_t now)
{
	if (!b->is_unreached)
		b->since_us = now;
	b->is_unreached = true;
	err_text_copy(b->reason, sizeof(b->reason), reason);
}

/* A look is at the server, and ends sooner than a request would: it is no word on any table. */
static void
lane_word(struct catalog_breaker *b, enum catalog_lane n, bool is_probe, enum catalog_word word,
    uint64_t now)
{
	struct circuit *lane = &b->lanes[n];

	if (n == CATALOG_LOOKS)
		return;
	if (is_probe)
		circuit_probe_ended(lane);
	if (word == WORD_HEARD)
		circuit_heard(lane);
	if (is_failure(word)) {
		b->hangs[n] = word == WORD_HUNG;
		circuit_failed(lane, &lane_circuit, is_probe, now);
	}
}

static bool
lane_lacks_connections(const struct catalog_breaker *b, unsigned n)
{
	return b->lanes[n].is_open && !b->hangs[n];
}

/* ---- statements ---- */

bool
breaker_admits(struct catalog_breaker *b, enum catalog_lane n, uint64_t now, bool *is_probe,
    int *retry_after)
{
	bool admits;

	pthread_mutex_lock(&b->mutex);
	*is_probe = false;
	admits = !b->is_gone && circuit_admits(&b->lanes[n], now, is_probe);
	*retry_after = circuit_rest_s(&b->lanes[n], now);
	pthread_mutex_unlock(&b->mutex);
	return admits;
}

static void
log_lane(enum catalog_lane n, bool is_open, const char *reason)
{
	if (is_open)
		log_event(LOG_ERR, "catalog.unreached", NULL,
		    "The catalog is not asked for %s for a while, and what is known of them stays "
		    "in "
		    "use; look at the server of catalog_url: %s",
		    catalog_lane_noun(n), reason);
	else
		log_event(LOG_NOTICE, "catalog.back", NULL, "The catalog answers %s again.",
		    catalog_lane_noun(n));
}

static void
log_server(bool is_gone, const char *reason)
{
	if (is_gone)
		log_event(LOG_ERR, "catalog.gone", NULL,
		    "The catalog does not answer, and is asked nothing until a probe succeeds; "
		    "known "
		    "keys and tenants stay in use. Look at the server of catalog_url: %s",
		    reason);
	else
		log_event(LOG_NOTICE, "catalog.returned", NULL, "The catalog answers again.");
}

void
breaker_word(struct catalog_breaker *b, enum catalog_lane n, bool is_probe, enum catalog_word word,
    const char *reason, uint64_t now)
{
	struct circuit *lane = &b->lanes[n];
	bool was_open, is_open, was_gone, is_gone;

	pthread_mutex_lock(&b->mutex);
	was_open = lane->is_open;
	was_gone = b->is_gone;
	lane_word(b, n, is_probe, word, now);
	is_open = lane->is_open;
	if (word == WORD_HEARD)
		heard(b, now);
	if (is_failure(word))
		unreached(b, reason, now);
	is_gone = b->is_gone;
	pthread_mutex_unlock(&b->mutex);
	if (was_open != is_open)
		log_lane(n, is_open, reason);
	/* A statement that waited through it all may be answered before a probe is. */
	if (was_gone != is_gone)
		log_server(is_gone, reason);
}

bool
breaker_is_open(struct catalog_breaker *b, enum catalog_lane n)
{
	bool is_open;

	pthread_mutex_lock(&b->mutex);
	is_open = b->is_gone || b->lanes[n].is_open;
	pthread_mutex_unlock(&b->mutex);
	return is_open;
}

/* ---- probes ---- */

/* Under the lock: until the catalog is heard of, whoever looks. */
static bool
needs_probe(const struct catalog_breaker *b)
{
	bool needs = b->is_unreached;

	for (unsigned i = 0; i < CATALOG_LANES; i++)
		needs |= lane_lacks_connections(b, i);
	return needs;
}

static bool
is_watched(const struct catalog_breaker *b, uint64_t now)
{
	return b->watched_us != 0 && now - b->watched_us < WATCH_US;
}

bool
breaker_wants_probe(struct catalog_breaker *b, uint64_t now)
{
	bool wants;

	pthread_mutex_lock(&b->mutex);
	wants = needs_probe(b) || (is_watched(b, now) && now - b->heard_us > SILENCE_US);
	pthread_mutex_unlock(&b->mutex);
	return wants;
}

bool
breaker_may_want_probe(struct catalog_breaker *b, uint64_t now)
{
	bool may;

	pthread_mutex_lock(&b->mutex);
	may = needs_probe(b) || is_watched(b, now);
	pthread_mutex_unlock(&b->mutex);
	return may;
}

void
breaker_probed(struct catalog_breaker *b, enum catalog_word word, const char *reason,
    uint64_t began_us, uint64_t now)
{
	bool was_gone, is_gone, is_back[CATALOG_LANES] = { false };

	pthread_mutex_lock(&b->mutex);
	was_gone = b->is_gone;
	/* A pool that is full of work keeps a probe waiting: not a word against who answers. */
	if (word == WORD_UNREACHED && b->heard_us >= began_us)
		word = WORD_NONE;
	if (word == WORD_UNREACHED) {
		b->is_gone = b->is_unreached;
		unreached(b, reason, now);
	}
	if (word == WORD_HEARD)
		heard(b, now);
	for (unsigned i = 0; word == WORD_HEARD && i < CATALOG_LANES; i++) {
		is_back[i] = lane_lacks_connections(b, i);
		if (is_back[i])
			circuit_heard(&b->lanes[i]);
	}
	is_gone = b->is_gone;
	pthread_mutex_unlock(&b->mutex);
	if (was_gone != is_gone)
		log_server(is_gone, reason);
	for (unsigned i = 0; i < CATALOG_LANES; i++)
		if (is_back[i])
			log_lane(i, false, reason);
}

/* ---- what operators see ---- */

void
breaker_condition(struct catalog_breaker *b, struct condition *c, uint64_t now)
{
	pthread_mutex_lock(&b->mutex);
	b->watched_us = now;
	if (b->heard_us == 0 && !b->is_unreached)
		condition_ill(c, "The catalog has not been reached yet.");
	if (b->is_unreached)
		condition_ill(c,
		    "The catalog has not answered for %llu s; look at the server of "
		    "catalog_url: %s",
		    (unsigned long long)((now - b->since_us) / SECOND_US), b->reason);
	for (unsigned i = 0; i < CATALOG_LANES; i++) {
		if (b->lanes[i].is_open && now < b->lanes[i].retry_us + OPEN_LAST_US)
			condition_ill(c, "The catalog does not answer %s; look for locks there: %s",
			    catalog_lane_noun(i), b->reason);
	}
	pthread_mutex_unlock(&b->mutex);
}

/* SPDX-License-Identifier: MIT */
/* tls_tickets.c: see the header. */
#include "tenantgate/wire/tls_tickets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

struct tls_tickets {
	pthread_mutex_t lock; /* of all below; held for a copy */
	struct tls_ticket_key newest, before;
	bool has_before;
	uint64_t since_us; /* monotonic: since when the newest is that */
};

struct tls_tickets *
tls_tickets_new(void)
{
	struct tls_tickets *t = xcalloc(1, sizeof(*t));

	if (pthread_mutex_init(&t->lock, NULL) != 0)
		abort();
	bytes_random(&t->newest, sizeof(t->newest));
	t->since_us = clock_mono_us();
	return t;
}

void
tls_tickets_free(struct tls_tickets *t)
{
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	bytes_wipe(t, sizeof(*t));
	free(t);
}

/* Under the lock. When nobody came for longer than two periods, the newest is too old to be the one
 * of before. */
static void
tickets_rotate(struct tls_tickets *t, uint64_t period_us)
{
	uint64_t now = clock_mono_us(), age = now - t->since_us;

	if (age < period_us)
		return;
	t->has_before = age < 2 * period_us;
	t->before = t->newest;
	if (!t->has_before)
		bytes_wipe(&t->before, sizeof(t->before));
	bytes_random(&t->newest, sizeof(t->newest));
	t->since_us = now - age % period_us;
}

void
tls_tickets_newest(struct tls_tickets *t, uint64_t period_us, struct tls_ticket_key *out)
{
	pthread_mutex_lock(&t->lock);
	tickets_rotate(t, period_us);
	*out = t->newest;
	pthread_mutex_unlock(&t->lock);
}

bool
tls_tickets_find(struct tls_tickets *t, uint64_t period_us,
    const unsigned char name[TLS_TICKET_NAME], struct tls_ticket_key *out, bool *is_old)
{
	bool is_newest, is_found;

	pthread_mutex_lock(&t->lock);
	tickets_rotate(t, period_us);
	is_newest = memcmp(name, t->newest.name, TLS_TICKET_NAME) == 0;
	*is_old = !is_newest && t->has_before && memcmp(name, t->before.name, TLS_TICKET_NAME) == 0;
	is_found = is_newest || *is_old;
	if (is_found)
		*out = is_newest ? t->newest : t->before;
	pthread_mutex_unlock(&t->lock);
	return is_found;
}

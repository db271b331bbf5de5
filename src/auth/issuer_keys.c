/* SPDX-License-Identifier: MIT */
/*
 * issuer_keys: when the keys of an issuer are to be fetched, and which are in use meanwhile.
 *
 *	age:    0 ........ refresh/2 ........ refresh ............ stale
 *	        fresh      fresh, and due     used while a fetch    none
 *	                   behind whoever     fails; else waited
 *	                   asks               for
 *
 * What always holds: one fetch of an issuer is under way in the process, and one begins no sooner
 * than a cool-down after the last, however many kids are asked for that nobody knows. A fetch that
 * fails changes nothing but the time of the next.
 */
#include <stdlib.h>

#include "auth/issuer_set.h"
#include "tenantgate/base/alloc.h"

static void
issuer_keys_end(struct refs *refs)
{
	struct issuer_keys *keys = (struct issuer_keys *)(void *)refs;

	_Static_assert(offsetof(struct issuer_keys, refs) == 0, "the references come first");
	if (keys->set != NULL)
		refs_give(&keys->set->refs);
	pthread_mutex_destroy(&keys->mutex);
	free(keys->name);
	free(keys->url);
	free(keys);
}

struct issuer_keys *
issuer_keys_new(const char *name, const char *url)
{
	struct issuer_keys *keys = xcalloc(1, sizeof(*keys));

	refs_init(&keys->refs, issuer_keys_end);
	pthread_mutex_init(&keys->mutex, NULL);
	keys->name = xstrdup(name);
	keys->url = xstrdup(url);
	return keys;
}

/* Under the mutex. */
static bool
may_fetch(const struct issuer_keys *keys, const struct issuer_conf *c, uint64_t now_us)
{
	return !keys->is_fetching &&
	    (keys->tried_us == 0 || now_us >= keys->tried_us + c->jwks_cooldown_us);
}

static unsigned
seconds_until(uint64_t when_us, uint64_t now_us)
{
	return when_us <= now_us ? 1 : (unsigned)((when_us - now_us) / 1000000 + 1);
}

/* The clock was read before the mutex was had: another worker may have put them since. */
static uint64_t
age_at(const struct issuer_keys *keys, uint64_t now_us)
{
	return now_us > keys->fetched_us ? now_us - keys->fetched_us : 0;
}

void
issuer_keys_look(struct issuer_keys *keys, const struct issuer_conf *c, uint64_t now_us,
    struct keys_view *out)
{
	uint64_t age_us;

	pthread_mutex_lock(&keys->mutex);
	age_us = keys->set != NULL ? age_at(keys, now_us) : UINT64_MAX;
	*out = (struct keys_view){
		.set = age_us < c->jwks_stale_us ? keys->set : NULL,
		.is_fresh = age_us < c->jwks_refresh_us,
		.is_due = age_us >= c->jwks_refresh_us / 2,
		.may_fetch = may_fetch(keys, c, now_us),
		.is_fetching = keys->is_fetching,
		.has_failed = keys->has_failed,
		.next_try_s = seconds_until(keys->tried_us + c->jwks_cooldown_us, now_us),
	};
	if (out->set != NULL)
		refs_take(&out->set->refs);
	pthread_mutex_unlock(&keys->mutex);
}

bool
issuer_keys_claim(struct issuer_keys *keys, const struct issuer_conf *c, uint64_t now_us)
{
	bool claimed;

	pthread_mutex_lock(&keys->mutex);
	claimed = may_fetch(keys, c, now_us);
	if (claimed) {
		keys->is_fetching = true;
		keys->tried_us = now_us;
	}
	pthread_mutex_unlock(&keys->mutex);
	return claimed;
}

void
issuer_keys_put(struct issuer_keys *keys, struct jwk_set *set, uint64_t now_us)
{
	struct jwk_set *before = NULL;

	pthread_mutex_lock(&keys->mutex);
	keys->is_fetching = false;
	keys->has_failed = set == NULL;
	if (set != NULL) {
		before = keys->set;
		keys->set = set;
		keys->fetched_us = now_us;
	}
	pthread_mutex_unlock(&keys->mutex);
	if (before != NULL)
		refs_give(&before->refs);
}

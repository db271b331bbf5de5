/* SPDX-License-Identifier: MIT */
/*
 * tenant_publish: a ready record into Redis, sealed, for other replicas to find, and out of it. PX:
 * Redis drops it after tenant_redis_ttl, so a record that nobody told us has changed is wrong for
 * so long at the most.
 *
 * What is taken out leaves a mark for a while, and NX puts nothing over a mark: a replica that has
 * read the row before its change, and not yet heard of it, cannot bring the old one back.
 */
#include <stdio.h>

#include "tenant/tenant_internal.h"

/* In its place no record, but not nothing either: to whoever reads it, it is a miss. For longer
 * than a lookup takes. */
#define MARK	"-"
#define MARK_MS "20000"

#define MARKING(key) \
	{ \
		SLICE_LIT("SET"), slice_str(key), SLICE_LIT(MARK), SLICE_LIT("PX"), \
		    SLICE_LIT(MARK_MS) \
	}
#define MARKING_COUNT 5

void
tenants_unpublish(struct tenants *ts, const char *id)
{
	char key[RECORD_KEY_SIZE];

	if (ts->redis == NULL)
		return;
	record_redis_key(key, ts->conf->environment, id, redis_is_cluster(ts->redis));
	redis_send(ts->redis, (struct slice[])MARKING(key), MARKING_COUNT);
}

enum flow_rc
tenants_unpublish_wait(struct flow *f, struct tenants *ts, const char *id, struct redis_reply *out)
{
	char key[RECORD_KEY_SIZE];

	record_redis_key(key, ts->conf->environment, id, redis_is_cluster(ts->redis));
	return redis_command(f, ts->redis, (struct slice[])MARKING(key), MARKING_COUNT, out);
}

void
tenants_publish(struct tenants *ts, const struct tenant_record *r)
{
	const struct tenant *t = &r->tenant;
	char key[RECORD_KEY_SIZE], ttl[24];
	struct slice argv[6] = { SLICE_LIT("SET") };
	struct buf sealed;

	if (ts->redis == NULL)
		return;
	buf_init(&sealed, RECORD_SEALED_MAX);
	record_redis_key(key, ts->conf->environment, t->id, redis_is_cluster(ts->redis));
	if (record_close(ts->seal, t, r->settings, key, &sealed)) {
		snprintf(ttl, sizeof(ttl), "%llu",
		    (unsigned long long)(ts->conf->redis_ttl_us / 1000));
		argv[1] = slice_str(key);
		argv[2] = buf_view(&sealed);
		argv[3] = SLICE_LIT("PX");
		argv[4] = slice_str(ttl);
		argv[5] = SLICE_LIT("NX");
		redis_send(ts->redis, argv, 6);
	}
	buf_free(&sealed);
}

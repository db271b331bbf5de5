/* SPDX-License-Identifier: MIT */
/*
 * tenant_publish: a ready record into Redis, sealed, for other workers and replicas to find. PX:
 * Redis drops it after tenant_redis_ttl, so a record that nobody told us has changed is wrong for
 * so long at the most.
 */
#include <stdio.h>

#include "tenant/tenant_internal.h"

void
tenants_publish(struct tenants *ts, const struct tenant *t)
{
	char key[RECORD_KEY_SIZE], ttl[24];
	struct slice argv[5] = { SLICE_LIT("SET") };
	struct buf sealed;

	if (ts->redis == NULL)
		return;
	buf_init(&sealed, 8192);
	record_redis_key(key, ts->conf->environment, t->id, redis_is_cluster(ts->redis));
	if (record_close(ts->seal, t, key, &sealed)) {
		snprintf(ttl, sizeof(ttl), "%llu",
		    (unsigned long long)(ts->conf->redis_ttl_us / 1000));
		argv[1] = slice_str(key);
		argv[2] = buf_view(&sealed);
		argv[3] = SLICE_LIT("PX");
		argv[4] = slice_str(ttl);
		redis_send(ts->redis, argv, 5);
	}
	buf_free(&sealed);
}

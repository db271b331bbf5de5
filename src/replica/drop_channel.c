/* SPDX-License-Identifier: MIT */
/*
 * drop_channel.c: see the header.
 */
#include "tenantgate/replica/drop_channel.h"

#include <stdio.h>

#include "tenantgate/base/random.h"

static void
drop_received(struct slice message, void *arg)
{
	const struct drop_channel *c = arg;
	size_t mark = DROP_ORIGIN_LEN;

	if (message.p == NULL) {
		c->heard(message, DROP_DOUBT, c->arg);
		return;
	}
	if (message.len <= mark + 1 ||
	    (message.p[mark] != DROP_FORGET && message.p[mark] != DROP_DOUBT))
		return;
	if (memcmp(message.p, c->origin, DROP_ORIGIN_LEN) != 0)
		c->heard(slice_of(message.p + mark + 1, message.len - mark - 1),
		    (enum drop)message.p[mark], c->arg);
}

bool
drop_channel_open(struct drop_channel *c, struct redis *redis, const char *name, const char *origin,
    drop_heard_fn *heard, void *arg)
{
	*c = (struct drop_channel){ .redis = redis, .name = name, .heard = heard, .arg = arg };
	if (origin != NULL)
		snprintf(c->origin, sizeof(c->origin), "%s", origin);
	else
		id_random(c->origin, DROP_ORIGIN_LEN);
	return redis == NULL || heard == NULL || redis_subscribe(redis, name, drop_received, c);
}

void
drop_channel_tell(const struct drop_channel *c, struct slice id, enum drop drop)
{
	char message[DROP_ORIGIN_LEN + 1 + DROP_ID_MAX + 1];
	int n;

	if (c->redis == NULL || id.len == 0 || id.len > DROP_ID_MAX)
		return;
	n = snprintf(message, sizeof(message), "%s%c%.*s", c->origin, (char)drop, SLICE_ARG(id));
	redis_publish(c->redis, c->name, slice_of(message, (size_t)n));
}

/* Redis does a link's commands in their order, so its reply to this one comes behind them. */
enum flow_rc
drop_channel_settle(struct flow *f, const struct drop_channel *c, struct redis_reply *out)
{
	struct slice ping = SLICE_LIT("PING");

	if (c->redis != NULL)
		return redis_command(f, c->redis, &ping, 1, out);
	out->status = REDIS_DOWN;
	return FLOW_NEXT;
}

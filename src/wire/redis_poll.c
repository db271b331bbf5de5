/* SPDX-License-Identifier: MIT */
/*
 * redis_poll: messages for those whom Redis allows no channel. Whoever publishes also appends the
 * message to a stream, "<channel>:log", of which the last LOG_KEPT messages are kept for an hour at
 * the most. Who polls begins behind its last entry, with the call that messages may have been
 * missed, as a new subscription does, and then asks for what came after the last entry it saw.
 *
 * Streams need Redis 5, as the scripts do. A publisher of an earlier release appends nothing: what
 * it tells is noticed when the record's time is over (tenant_cache_ttl).
 */
#include <stdio.h>
#include <string.h>

#include "tenantgate/base/log.h"
#include "wire/redis_internal.h"

#define LOG_KEPT	"1000"
#define LOG_KEPT_NUMBER 1000
#define LOG_KEPT_MS	"3600000"
#define LOG_KEY_SIZE	160

static void
log_key(char key[LOG_KEY_SIZE], const char *channel)
{
	(void)snprintf(key, LOG_KEY_SIZE, "%s:log", channel);
}

void
redis_publish(struct redis *r, const char *channel, struct slice payload)
{
	char key[LOG_KEY_SIZE];
	struct slice publish[] = { SLICE_LIT("PUBLISH"), slice_str(channel), payload };
	struct slice append[] = { SLICE_LIT("XADD"), { NULL, 0 }, SLICE_LIT("MAXLEN"),
		SLICE_LIT("~"), SLICE_LIT(LOG_KEPT), SLICE_LIT("*"), SLICE_LIT("m"), payload };
	struct slice expire[] = { SLICE_LIT("PEXPIRE"), { NULL, 0 }, SLICE_LIT(LOG_KEPT_MS) };

	log_key(key, channel);
	append[1] = expire[1] = slice_str(key);
	redis_send(r, publish, 3);
	redis_send(r, append, 8);
	redis_send(r, expire, 3);
}

/* Element i of an array, when it is of that type; NULL otherwise. */
static const redisReply *
array_at(const redisReply *reply, size_t i, int type)
{
	if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || i >= reply->elements ||
	    reply->element[i]->type != type)
		return NULL;
	return reply->element[i];
}

static bool
entry_keep_id(struct redis_poll *p, const redisReply *entry)
{
	const redisReply *id = array_at(entry, 0, REDIS_REPLY_STRING);

	if (id == NULL || (size_t)id->len >= sizeof(p->last))
		return false;
	memcpy(p->last, id->str, (size_t)id->len + 1);
	return true;
}

/* [id, [field, payload]] */
static void
entry_tell(struct redis_poll *p, const redisReply *entry)
{
	const redisReply *payload =
	    array_at(array_at(entry, 1, REDIS_REPLY_ARRAY), 1, REDIS_REPLY_STRING);

	if (entry_keep_id(p, entry) && payload != NULL)
		p->fn(slice_of(payload->str, (size_t)payload->len), p->arg);
}

/* No reply: the link was lost, and what comes after it begins anew. */
static bool
reply_is_usable(struct redis_poll *p, const redisReply *reply)
{
	static struct log_pace pace;

	p->is_asked = false;
	if (reply != NULL && reply->type != REDIS_REPLY_ERROR)
		return true;
	p->last[0] = '\0';
	if (reply != NULL && log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "redis.poll_refused", NULL,
		    "Redis refuses that messages are polled too (%.120s); what other replicas "
		    "change is seen after tenant_cache_ttl. Allow XADD, XREAD and XREVRANGE.",
		    reply->str);
	return false;
}

/* XREVRANGE: [[id, ...]], or nothing. */
static bool
poll_begun(const redisReply *reply, void *arg)
{
	struct redis_poll *p = arg;

	if (!reply_is_usable(p, reply))
		return true;
	if (!entry_keep_id(p, array_at(reply, 0, REDIS_REPLY_ARRAY)))
		memcpy(p->last, "0-0", sizeof("0-0"));
	p->fn(slice_of(NULL, 0), p->arg);
	return true;
}

/* XREAD: [[key, [entry, ...]]], or nil. As many as are kept: some may be gone already. */
static bool
poll_read(const redisReply *reply, void *arg)
{
	struct redis_poll *p = arg;
	const redisReply *entries;

	if (!reply_is_usable(p, reply))
		return true;
	entries = array_at(array_at(reply, 0, REDIS_REPLY_ARRAY), 1, REDIS_REPLY_ARRAY);
	if (entries == NULL)
		return true;
	for (size_t i = 0; i < entries->elements; i++)
		entry_tell(p, entries->element[i]);
	if (entries->elements >= LOG_KEPT_NUMBER)
		p->fn(slice_of(NULL, 0), p->arg);
	return true;
}

void
redis_poll_look(struct redis_poll *p)
{
	char key[LOG_KEY_SIZE];
	struct slice begin[] = { SLICE_LIT("XREVRANGE"), { NULL, 0 }, SLICE_LIT("+"),
		SLICE_LIT("-"), SLICE_LIT("COUNT"), SLICE_LIT("1") };
	struct slice read[] = { SLICE_LIT("XREAD"), SLICE_LIT("COUNT"), SLICE_LIT(LOG_KEPT),
		SLICE_LIT("STREAMS"), { NULL, 0 }, slice_str(p->last) };

	if (p->is_asked)
		return;
	p->is_asked = true;
	log_key(key, p->channel);
	begin[1] = read[4] = slice_str(key);
	if (p->last[0] == '\0')
		redis_query(p->redis, begin, 6, poll_begun, p);
	else
		redis_query(p->redis, read, 6, poll_read, p);
}

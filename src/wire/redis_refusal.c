/* SPDX-License-Identifier: MIT */
/*
 * redis_refusal: the codes that an error reply begins with (Redis: "RESP protocol specification",
 * "Simple errors"; the codes are in its server.c and cluster.c), and what to do about each. Up to
 * Redis 6 the error of a command in a script is in the middle of the script's own: "ERR Error
 * running script (...): @user_script: 1: -READONLY You can't write ...".
 */
#include <string.h>

#include "tenantgate/base/log.h"
#include "wire/redis_internal.h"

#define PERMISSIONS \
	"Redis's ACL forbids our user what it needs (NOPERM): allow scripts, and all of tg:* " \
	"(+@all -@dangerous ~tg:* &tg:*)."

static const struct redis_refusal refusals[] = {
	{ "READONLY", true,
	    "Redis is a read-only replica (READONLY): its name is looked up until it leads to the "
	    "master." },
	{ "LOADING", true, "Redis is loading its data (LOADING): wait until it has." },
	{ "MASTERDOWN", true,
	    "Redis is a replica without its master (MASTERDOWN): its name is looked up until it "
	    "leads to the master." },
	{ "MOVED", true,
	    "Redis is a cluster's node without our keys (MOVED): let redis_url lead to the one "
	    "that "
	    "has them." },
	{ "CLUSTERDOWN", true, "The Redis Cluster is down (CLUSTERDOWN): look at its nodes." },
	{ "OOM", false, "Redis is full (OOM): raise its maxmemory, or let it evict." },
	{ "MISCONF", false, "Redis cannot save to its disk (MISCONF): look at its log." },
	{ "NOREPLICAS", false,
	    "Redis has too few replicas to write (NOREPLICAS): look at min-replicas-to-write." },
	{ "BUSY", false, "Redis is busy with somebody's script (BUSY): stop that one." },
	{ "NOPERM", false, PERMISSIONS },
	{ "ERR The user executing the script", false, PERMISSIONS },
	{ "NOAUTH", false, "Redis wants a login (NOAUTH): put it into redis_url." },
	{ "WRONGPASS", false, "Redis refuses the login (WRONGPASS): correct redis_url." },
	{ "ERR unknown command", false,
	    "Redis does not know a command that is needed: allow EVAL, EVALSHA and SET." },
	{ "ERR max number of clients", false, "Redis has too many clients: raise its maxclients." },
	{ "", false, "Redis answers with errors: look at our log and at its own." },
};

#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static bool
refusal_fits(const char *code, const char *text)
{
	return strncmp(text, code, strlen(code)) == 0;
}

const struct redis_refusal *
redis_refusal_of(const char *text)
{
	const char *inner =
	    refusal_fits("ERR Error running script", text) ? strstr(text, ": -") : NULL;
	unsigned i = 0;

	if (inner != NULL)
		text = inner + 3;
	while (i + 1 < REFUSALS && !refusal_fits(refusals[i].code, text))
		i++;
	return &refusals[i];
}

void
redis_refusal_log(const struct redis_link *l, const struct redis_refusal *why, const char *text)
{
	static struct log_pace paces[REFUSALS];
	bool is_due = !l->is_quiet && log_pace_admit(&paces[why - refusals], LOG_MINUTE);

	log_event(is_due ? LOG_WARNING : LOG_DEBUG, "redis.refused", NULL,
	    "Redis at %s:%u is not used while it refuses us (%.120s). %s", l->url->host,
	    l->url->port, text, why->sentence);
}

void
redis_link_refuse(struct redis_link *l, const redisReply *reply)
{
	err_text_copy(l->refused, sizeof(l->refused),
	    reply->type == REDIS_REPLY_ERROR ? reply->str : "a reply of another kind");
}

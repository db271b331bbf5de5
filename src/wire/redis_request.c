/* SPDX-License-Identifier: MIT */
/*
 * redis_request: what a link sends: a command in Redis' protocol (RESP), and the commands of the
 * handshake. Only writes; what becomes of it is redis_link.c's.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <event2/bufferevent.h>

#include "wire/redis_internal.h"

/* hiredis' formatter writes RESP with lengths, so no byte of an argument can end it: there is no
 * escaping to get wrong. Its %-formats are not used. */
bool
redis_request_write(struct redis_link *l, const struct slice *argv, unsigned argc)
{
	const char *words[REDIS_ARGS_MAX];
	size_t lengths[REDIS_ARGS_MAX];
	char *command = NULL;
	int len;
	int rc;

	assert(argc > 0 && argc <= REDIS_ARGS_MAX);
	for (unsigned i = 0; i < argc; i++) {
		words[i] = argv[i].len == 0 ? "" : argv[i].p;
		lengths[i] = argv[i].len;
	}
	len = redisFormatCommandArgv(&command, (int)argc, words, lengths);
	if (len < 0)
		return false;
	rc = bufferevent_write(l->bev, command, (size_t)len);
	redisFreeCommand(command);
	return rc == 0;
}

/* AUTH password, or, from Redis 6 on, AUTH user password. */
static bool
handshake_auth(struct redis_link *l)
{
	struct slice words[3] = { SLICE_LIT("AUTH") };
	unsigned n = 1;

	if (l->url->password[0] == '\0')
		return true;
	if (l->url->user[0] != '\0')
		words[n++] = slice_str(l->url->user);
	words[n++] = slice_str(l->url->password);
	l->handshake_replies++;
	return redis_request_write(l, words, n);
}

static bool
handshake_select(struct redis_link *l)
{
	char db[16];
	struct slice words[2] = { SLICE_LIT("SELECT"), { db, 0 } };

	if (l->url->db == 0)
		return true;
	words[1].len = (size_t)snprintf(db, sizeof(db), "%u", l->url->db);
	l->handshake_replies++;
	return redis_request_write(l, words, 2);
}

static bool
handshake_ping(struct redis_link *l)
{
	struct slice word = SLICE_LIT("PING");

	l->handshake_replies++;
	return redis_request_write(l, &word, 1);
}

/* All at once, without waiting for each reply: one round trip. Of AUTH and SELECT only those that
 * the URL asks for. The probe comes after, by the key that the reply about
 * slots tells. */
bool
redis_request_handshake(struct redis_link *l)
{
	l->handshake_replies = 0;
	l->asks_slots = l->probe != NULL;
	return handshake_auth(l) && handshake_select(l) && handshake_ping(l) &&
	    (l->probe == NULL || redis_probe_slots(l));
}

bool
redis_request_probe(struct redis_link *l)
{
	struct slice words[REDIS_ARGS_MAX];

	l->asks_slots = false;
	for (unsigned i = 0; i < REDIS_PROBE_COMMANDS; i++) {
		l->handshake_replies++;
		if (!redis_request_write(l, words, redis_probe_words(l, i, words)))
			return false;
	}
	return true;
}

/* A number, or, in a cluster, CROSSSLOT. */
static bool
slots_reply_is_good(struct redis_link *l, const redisReply *reply)
{
	l->is_cluster =
	    reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "CROSSSLOT", 9) == 0;
	return l->is_cluster || reply->type == REDIS_REPLY_INTEGER;
}

/* All others are a status ("+OK", "+PONG"), but for a probe that finds its script gone. An error: a
 * wrong password, data still loading, a probe that may not write ... */
bool
redis_handshake_is_good(struct redis_link *l, const redisReply *reply)
{
	bool is_last = l->handshake_replies == 1 && l->probe != NULL;
	bool good = reply->type == REDIS_REPLY_STATUS;

	if (l->asks_slots && is_last)
		good = slots_reply_is_good(l, reply);
	else if (is_last)
		good = !redis_probe_failed(reply);
	if (!good)
		redis_link_refuse(l, reply);
	return good;
}

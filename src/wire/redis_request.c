/* SPDX-License-Identifier: MIT */
/*
 * redis_request: what a link sends: a command in Redis' protocol (RESP), and the commands of the
 * handshake. Only writes; what becomes of it is redis_link.c's.
 */
#include <assert.h>
#include <stdio.h>

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
 * the URL asks for. */
bool
redis_request_handshake(struct redis_link *l)
{
	l->handshake_replies = 0;
	return handshake_auth(l) && handshake_select(l) && handshake_ping(l);
}

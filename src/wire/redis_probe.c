/* SPDX-License-Identifier: MIT */
/*
 * redis_probe: a PING is answered also by a Redis that is of no use to us: a demoted master, a full
 * one, one that lets us run no scripts. So a script that writes is run, by its text and by its
 * digest as the limiter's is. Before it a script that does nothing, with several keys: a node of a
 * cluster refuses it (CROSSSLOT), and then the key is the one with the hash tag.
 *
 * Its key is one of the limiter's, so that an ACL that allows limits allows it too.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "wire/redis_internal.h"

static const char slots_script[] = "return 1";
static const char probe_script[] = "return redis.call('SET', KEYS[1], '', 'PX', 10000)";
static char probe_sha[REDIS_SHA_SIZE];

/* SHA-1 is Redis' choice: a name for a script, no security rests on it. */
void
redis_script_sha(const char *script, char out[REDIS_SHA_SIZE])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_Digest(script, strlen(script), sum, &len, EVP_sha1(), NULL) != 1)
		abort();
	assert(len * 2 + 1 == REDIS_SHA_SIZE);
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
}

static void
probe_sha_make(void)
{
	redis_script_sha(probe_script, probe_sha);
}

/* All three in one slot of 16384 is one chance in 268 million. */
bool
redis_probe_slots(struct redis_link *l)
{
	char keys[2][REDIS_PROBE_KEY_MAX + 2];
	struct slice words[] = { SLICE_LIT("EVAL"), slice_str(slots_script), SLICE_LIT("3"),
		slice_str(l->probe->key), { NULL, 0 }, { NULL, 0 } };

	for (int i = 0; i < 2; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "%s%c", l->probe->key, (char)('0' + i));
		words[4 + i] = slice_str(keys[i]);
	}
	l->handshake_replies++;
	return redis_request_write(l, words, 6);
}

unsigned
redis_probe_words(const struct redis_link *l, unsigned i, struct slice *argv)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, probe_sha_make);
	argv[0] = slice_str(i == 0 ? "EVAL" : "EVALSHA");
	argv[1] = slice_str(i == 0 ? probe_script : probe_sha);
	argv[2] = SLICE_LIT("1");
	argv[3] = slice_str(l->is_cluster ? l->probe->cluster_key : l->probe->key);
	return 4;
}

/* NOSCRIPT: somebody emptied the cache of scripts between the two. */
bool
redis_probe_failed(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) != 0;
}

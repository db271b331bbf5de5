/* SPDX-License-Identifier: MIT */
/*
 * auth_fixture: a worker's checks of keys over a fake catalog.
 */
#ifndef TENANTGATE_TESTS_AUTH_FIXTURE_H
#define TENANTGATE_TESTS_AUTH_FIXTURE_H

#include "fake_cache.h"
#include "fake_catalog.h"
#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/auth.h"
#include "tenantgate/base/digest.h"

#define ID     "abcdefghjkmn"
#define SECRET "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
#define WRONG  "1123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
#define GOOD   "Bearer tg_" ID "_" SECRET
#define BAD    "Bearer tg_" ID "_" WRONG
#define CHECKS 20

#define TAG_SECRET "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HOME	   SLICE_LIT("network1")
#define ELSEWHERE  SLICE_LIT("network2")

struct check_flow {
	struct flow flow;
	struct auth *auth;
	struct key_tags *tags; /* to load */
	const char *header;
	struct slice network;
	struct key_made *made;
	const struct key_order *order; /* of it */
	struct redis_reply told;
	struct caller caller;
	struct err err;
	unsigned ended;
};

struct auth_fixture {
	struct worker *worker;
	struct key_tags *tags; /* empty until auth_fixture_tags_load() */
	struct lookup_store *keys;
	struct redis redis;
	struct auth *auth;
	struct check_flow checks[CHECKS];
};

int auth_fixture_set_up(void **state);
int auth_fixture_tear_down(void **state);

/* The row of GOOD, which a test may change after the call; the row of TAG_SECRET. */
extern struct fake_row auth_fixture_row;
fake_result_fn auth_fixture_key, auth_fixture_tag_secret;
void auth_fixture_tags_load(struct auth_fixture *);

/* Starts the n-th check, from HOME. */
void auth_fixture_begin(struct auth_fixture *, unsigned n, const char *header);
flow_end_fn auth_fixture_end;
/* Of one that has ended: that nobody was found is ERR_UNAUTHENTICATED, as to whoever refuses. */
enum err_code auth_fixture_outcome(struct auth_fixture *, unsigned n);
/* Both. */
enum err_code auth_fixture_check(struct auth_fixture *, const char *header);
enum err_code auth_fixture_check_from(struct auth_fixture *, const char *header,
    struct slice network);

#endif

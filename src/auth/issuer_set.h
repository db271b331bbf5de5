/* SPDX-License-Identifier: MIT */
/*
 * issuer_set: the issuers of a configuration (auth/issuer.h), and of each the keys that were
 * fetched last. A struct issuer_keys is shared by all workers, and by the sets of a configuration
 * and of the next that has the same issuer: it has a mutex of its own, held for a look and never
 * across a call.
 */
#ifndef AUTH_ISSUER_SET_H
#define AUTH_ISSUER_SET_H

#include <pthread.h>

#include "auth/jwk.h"
#include "tenantgate/auth/issuer.h"

struct issuer_keys {
	struct refs refs;
	char *name; /* owned; set once, as the next */
	char *url;  /* owned */
	pthread_mutex_t mutex;
	struct jwk_set *set; /* a reference; NULL: none was ever had; as all below by the mutex */
	uint64_t fetched_us; /* monotonic: when it came */
	uint64_t tried_us;   /* when the last fetch began; 0: none has */
	bool is_fetching;    /* by one worker */
	bool has_failed;     /* the last one that is over */
};

struct issuer {
	struct issuer_conf conf; /* texts owned */
	struct jwa_list algorithms;
	unsigned scopes;
	bool has_own_only;
	struct jwk_set *secret;	  /* a reference; or */
	struct issuer_keys *keys; /* a reference */
};

struct issuers {
	struct refs refs;
	unsigned count;
	struct issuer items[];
};

/* By the `iss` of a token; NULL: none. Borrowed from the set. */
const struct issuer *issuers_find(const struct issuers *, struct slice iss);

/* Names of key_scope.h, one at least, and maybe `own`: of documents, those alone that are the
 * user's. False with err set. */
bool issuer_scopes_read(const char *text, unsigned *scopes, bool *has_own_only, struct err *);

struct issuer_keys *issuer_keys_new(const char *name, const char *url);

/* What is known of an issuer's keys at a moment. */
struct keys_view {
	struct jwk_set *set; /* a reference, the caller's; NULL: none that may be used */
	bool is_fresh;
	bool is_due;	/* a fetch should begin, whoever waits for it */
	bool may_fetch; /* one may begin: none is under way, none has begun lately */
	bool is_fetching;
	bool has_failed;
	unsigned next_try_s; /* at least 1: until one may begin */
};
void issuer_keys_look(struct issuer_keys *, const struct issuer_conf *, uint64_t now_us,
    struct keys_view *);
/* True: the caller is the one that fetches, and owes issuer_keys_put(). */
bool issuer_keys_claim(struct issuer_keys *, const struct issuer_conf *, uint64_t now_us);
/* The end of a fetch. set: taken over; NULL: it has failed, and what is there stays. */
void issuer_keys_put(struct issuer_keys *, struct jwk_set *set, uint64_t now_us);

#endif

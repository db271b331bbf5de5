/* SPDX-License-Identifier: MIT */
/*
 * issuer_auth: one worker's check of issuers' tokens, and its fetches of their keys.
 */
#ifndef AUTH_ISSUER_AUTH_H
#define AUTH_ISSUER_AUTH_H

#include <sys/queue.h>

#include "auth/issuer_set.h"
#include "tenantgate/loop/join.h"

struct keys_fetch;

struct issuer_auth {
	struct worker *worker;	 /* borrowed */
	struct web *web;	 /* borrowed */
	struct issuers *issuers; /* a reference */
	LIST_HEAD(, keys_fetch) fetches;
};

/* As auth_check(); the auth may be NULL. A flow with an arena gets the sender's profile too. Fails
 * with ERR_ISSUER while the issuer's keys are not to be had. */
enum flow_rc issuer_auth_check(struct flow *, struct issuer_auth *, struct slice token,
    struct caller *) __attribute__((warn_unused_result));

/* keys_fetch.c. Begins a fetch of the keys of an issuer of the set, of which it holds a reference,
 * unless one of this worker is under way. */
void keys_fetch_begin(struct issuer_auth *, struct issuers *, const struct issuer *);
/* Waits for it; begins it first. Wakes plainly, however it has ended. */
enum flow_rc keys_fetch_wait(struct flow *, struct issuer_auth *, struct issuers *,
    const struct issuer *, struct join_waiter *) __attribute__((warn_unused_result));

#endif

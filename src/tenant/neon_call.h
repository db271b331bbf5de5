/* SPDX-License-Identifier: MIT */
/*
 * neon_call: one question to Neon's management API, asked again where that is harmless, and what
 * the outcome means.
 */
#ifndef TENANT_NEON_CALL_H
#define TENANT_NEON_CALL_H

#include "tenant/tenant_internal.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/slice.h"

enum neon_outcome {
	NEON_DONE,    /* 2xx, and `json` is its object */
	NEON_REFUSED, /* an answer that says: not done (4xx; 423, 429 and 503 after the tries) */
	NEON_UNSENT,  /* it never left us */
	NEON_BROKE,   /* 500 and the like: the server is through with it, but done or not? */
	NEON_UNKNOWN, /* no answer: it may be done later still */
};

struct neon_call {
	struct flow flow;
	struct tenants *tenants;  /* borrowed */
	const char *method;	  /* static */
	struct buf path;	  /* owned: after the API's base */
	struct buf body;	  /* owned: empty for none */
	struct buf url;		  /* owned */
	struct buf bearer;	  /* owned: wiped */
	struct web_response response; /* owned */
	struct timer backoff_timer;
	unsigned tries;
	/* after the call */
	enum neon_outcome outcome;
	json_t *json;  /* owned */
	char why[200]; /* when not NEON_DONE */
};

void neon_call_init(struct neon_call *, struct tenants *);
void neon_call_free(struct neon_call *); /* idempotent */
/* path and body were written; wakes plainly. A GET is asked again after any trouble, other
 * methods after a 423, 429, 503, or when nothing was sent. */
enum flow_rc neon_call_run(struct flow *, struct neon_call *, const char *method)
    __attribute__((warn_unused_result));
/* Forgets the answer, empties path and body. */
void neon_call_reset(struct neon_call *);
/* NEON_DONE: FLOW_NEXT; else fails with ERR_NEON, saying what and why. */
enum flow_rc neon_check(struct flow *, const struct neon_call *, const char *what)
    __attribute__((warn_unused_result));

#endif

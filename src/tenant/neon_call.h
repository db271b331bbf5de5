/* SPDX-License-Identifier: MIT */
/*
 * neon_call: one request to Neon's management API, sent when the account's rate allows (neon_gate),
 * sent again where that is harmless, and what its outcome means for whoever wanted something done.
 */
#ifndef TENANT_NEON_CALL_H
#define TENANT_NEON_CALL_H

#include "tenant/neon_gate.h"
#include "tenant/row.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/slice.h"

enum neon_outcome {
	NEON_DONE,    /* 2xx, and `json` is its object */
	NEON_REFUSED, /* certainly not done: 4xx; 423, 429 and 503 when the tries were used up */
	NEON_UNSENT,  /* certainly not done: no byte of it left us */
	NEON_BROKE,   /* 500, or a 2xx that cannot be read: done or not, but it is over */
	NEON_UNKNOWN, /* no response, or a gateway's (502, 504): done, not, or about to be */
};

struct neon_call {
	struct flow flow;
	struct tenants *tenants;  /* borrowed */
	struct tenant_row *row;	  /* borrowed: counts the calls, and is told of a refusal */
	struct neon_gate gate;
	const char *method;	  /* borrowed: a literal */
	struct buf path;	  /* owned: what follows neon_api_url */
	struct buf body;	  /* owned: empty for none */
	struct buf url;		  /* owned */
	struct buf bearer;	  /* owned: the header field with the key; wiped */
	struct web_response response; /* owned */
	struct timer backoff_timer;
	unsigned tries; /* sent so far */
	/* after the call */
	enum neon_outcome outcome;
	json_t *json;  /* owned */
	char why[200]; /* when not NEON_DONE: "status 422: ...", without secrets; for operators */
	char told[ERR_TOLD_SIZE]; /* the same for the row, while the call is tried again */
	struct pg_result result;  /* owned: of that write */
};

void neon_call_init(struct neon_call *, struct tenants *, struct tenant_row *);
void neon_call_free(struct neon_call *); /* idempotent */
/* After path and body were written. Wakes plainly: the outcome is looked at by neon_check(). A
 * GET is sent again after a lost response or a 5xx too, other methods only after 423, 429, 503, or
 * when nothing was sent: Neon's rule for what was certainly not applied. */
enum flow_rc neon_call_run(struct flow *, struct neon_call *, const char *method)
    __attribute__((warn_unused_result));
/* GET connection_uri of the row's project. */
enum flow_rc neon_call_uri(struct flow *, struct neon_call *) __attribute__((warn_unused_result));
/* Before the next call: frees the response, empties path and body. */
void neon_call_reset(struct neon_call *);
/* NEON_DONE: FLOW_NEXT; else fails with ERR_NEON, saying what ("list of projects") and why, or with
 * ERR_PROVISIONING when the account's rate is used up. A refusal is in the row then: when it may be
 * tried again, which is also the failure's retry_after. */
enum flow_rc neon_check(struct flow *, const struct neon_call *, const char *what)
    __attribute__((warn_unused_result));

#endif

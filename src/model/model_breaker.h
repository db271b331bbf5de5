/* SPDX-License-Identifier: MIT */
/*
 * model_breaker: what is known of one kind of model (chat, embeddings) at one server, which is a
 * URL and a key, from how the calls of all workers ended; and whether it is worth asking. Pure but
 * for its lock and the log: times are given, in monotonic microseconds. Any thread.
 *
 *	circuit (base/circuit.h): failures in a row open it, a quota that is used up at once and for
 *	                          minutes; a probe at a time finds out whether it is back
 *	pause:                    what the server's own Retry-After said; nothing is let through
 *	                          before, everything after
 *
 * One tenant cannot open it for the others by what it sends. A request that is refused for itself
 * says nothing. A failure that the request may have caused (a time-out, a 5xx) is counted at most
 * TENANT_FAILURES times in a row for one tenant, which is too few; and when its probe is the one
 * that fails again, the next call is a probe at once. Failures that no request causes (no
 * connection, a key that is not known) are counted whoever asked.
 */
#ifndef TENANTGATE_MODEL_BREAKER_H
#define TENANTGATE_MODEL_BREAKER_H

#include <pthread.h>

#include "tenantgate/base/circuit.h"
#include "tenantgate/base/condition.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/slice.h"

#define BREAKER_FAILURES 5 /* calls in a row, each with all of its tries */
#define TENANT_FAILURES	 3 /* of one tenant, of these */

/* What the end of a call says of the server. */
enum breaker_word {
	BREAKER_NOTHING,      /* it was the request's fault, or nobody waited for the end */
	BREAKER_HEARD,	      /* it answered */
	BREAKER_FAILED,	      /* whatever was asked */
	BREAKER_FAILED_AT_IT, /* what was asked may be why */
	BREAKER_QUOTA,	      /* what was paid for is used up */
};

struct breaker_end {
	enum breaker_word word;
	bool by_probe;	     /* as model_breaker_admits() said */
	struct slice tenant; /* borrowed for the call */
	int status;	     /* HTTP; 0: no response */
	bool has_timed_out;
};

struct breaker_refusal {
	enum breaker_reason { BREAKER_ILL, BREAKER_PAUSED, BREAKER_NO_QUOTA } reason;
	uint64_t rest_us; /* until it may be asked again */
	int rest_s;	  /* the same, for Retry-After: at least 1 */
};

struct model_breaker {
	pthread_mutex_t mutex; /* held for a few dozen instructions */
	const char *stage;     /* borrowed: "chat model" */
	const char *server;    /* borrowed: its name */
	struct circuit circuit;
	bool is_without_quota;
	uint64_t paused_until_us;
	int paused_status; /* HTTP, of the response that asked for it */
	/* The failures since it was last heard. */
	unsigned failures;
	uint64_t since_us;  /* of the first of them */
	uint64_t failed_us; /* of the last */
	int status;	    /* of the last; 0: no response */
	bool has_timed_out;
	unsigned tenant_failures;	/* of the last, that the same tenant had */
	char tenant[TENANT_ID_MAX + 1]; /* "": nobody in particular */
};

/* The strings are borrowed until it is destroyed. */
void model_breaker_init(struct model_breaker *, const char *stage, const char *server);
void model_breaker_destroy(struct model_breaker *);

/* Whether a call may be made. *is_probe: it is one, and must be followed by model_breaker_ended(),
 * which every other call may do without. False with the reason. */
bool model_breaker_admits(struct model_breaker *, uint64_t now, bool *is_probe,
    struct breaker_refusal *);
void model_breaker_ended(struct model_breaker *, const struct breaker_end *, uint64_t now);
/* What a Retry-After asked for, in seconds; an hour of it is kept at most. */
void model_breaker_pause(struct model_breaker *, int seconds, int status, uint64_t now);

bool model_breaker_is_open(struct model_breaker *);
void model_breaker_condition(struct model_breaker *, struct condition *, uint64_t now);

#endif

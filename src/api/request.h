/* SPDX-License-Identifier: MIT */
/*
 * request: what every handler for tenants begins with (who sent it, which database, how much is
 * allowed) and ends with (a response, a line in the access log). A handler's struct has a struct
 * request as its first member, so that handlers share the steps below.
 *
 *	request_start() --> [request_caller] --> [request_tenant] --> [request_limit]
 *	    --> [request_database] --> the handler's own steps --> request_end()
 *
 * The order holds: a caller who is not authenticated costs no lookup of a tenant, one who is over a
 * limit provisions nothing, and no body is read before both are known. All on the exchange's
 * worker.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <assert.h>
#include <stddef.h>

#include "tenantgate/api.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/trace_context.h"
#include "tenantgate/tenant/use.h"

struct api_route;
struct api_route_match;
struct request_quota;

/* What request_of() checks: shared steps see a struct flow alone, and every handler's kind
 * differs. */
#define REQUEST_MAGIC	0x52455155u	/* "REQU" */

/* The limits of a request, in the order of their rules and of limit_policy_name(). */
enum limit_policy { LIMIT_OF_TENANT, LIMIT_OF_KEY, LIMIT_OF_USER, LIMIT_POLICIES };

/* What a request has taken besides the model's answer, and what is needed to tell its tokens where
 * a server does not. */
struct request_spent {
	struct model_usage		 embedding;	/* by the configured model */
	struct model_usage		 former;	/* by one of before: its name */
	const char			*former_name;	/* borrowed: good until the request's end */
	size_t				 prompt_bytes;	/* of what a model was asked to answer */
	unsigned			 documents;	/* stored */
	uint64_t			 document_bytes;
};

struct request {
	struct flow			 flow;		/* first */
	unsigned			 magic;
	const struct api_context	*ctx;		/* borrowed */
	const struct api_conf		*conf;		/* ctx's, when it began */
	struct refs			*snapshot;	/* held, for the conf's sake */
	struct http_exchange		*x;		/* borrowed until request_end() */
	const struct api_route		*route;		/* static */
	struct http_path_params		 params;	/* of its path; slices live as long as x */
	char				 request_id[REQUEST_ID_MAX + 1];
	struct trace_context		 trace;
	char				 traceparent[TRACEPARENT_LEN + 1];	/* of this step */
	char				*tracestate;	/* arena: a header's line; or NULL */
	struct caller			 caller;	/* from request_caller() on */
	char				 tenant_id[TENANT_ID_MAX + 1];	/* "" until the step */
	char				 user_id[USER_ID_MAX + 1];	/* "" : none is named */
	struct tenant_use		 use;		/* from request_tenant() on */
	struct tenant			 tenant;	/* has a password: wiped at the end */
	struct limit_rule		 rules[LIMIT_POLICIES];	/* the limiter borrows them while
							 * it waits */
	char				 rule_keys[LIMIT_POLICIES][LIMIT_KEY_MAX + 1];
	struct limit_verdict		 verdict;	/* mode NULL until request_limit is over */
	struct request_quota		*quota;		/* arena: request_quota.c; NULL: none */
	struct buf			 body;		/* owned; its ceiling is the route's */
	struct pool_lease		 lease;		/* request_end() returns it at the latest */
	struct model_usage		 usage;		/* of the answer */
	struct request_spent		 spent;		/* besides that */
	const char			*model_name;	/* that answered; NULL: none; for the log */
	bool				 has_looked_anew;	/* for a newer record */
	bool				 streaming;	/* the header has left, the end not */
	bool				 has_borrowed;	/* its database is awake */
	bool				 has_missed;	/* a named document is not stored */
	bool				 has_changed_chunks;	/* stored or deleted some */
	bool				 has_looked;	/* of request_expire(), as these four */
	uint64_t			 expiry_us;	/* until the next document's time is over */
	struct err			 expire_err;
	struct pool_target		 target;	/* borrows from the two beside it */
	char				 target_key[TENANT_KEY_SIZE];
	bool				 asleep;	/* the database is left alone: nothing is
							 * reconciled at the end */
};

/* The first four steps of a handler. Each takes what the one before has left in the struct request:
 * request_tenant() the caller, request_limit() the tenant's own limit (429 is given there). They
 * fail with what auth_check(), request_refuse(),
 * tenant_lookup(), limit_check() and tenant_provision() fail with. */
enum flow_rc	request_caller(struct flow *);
enum flow_rc	request_tenant(struct flow *);
enum flow_rc	request_limit(struct flow *);
enum flow_rc	request_database(struct flow *);
enum flow_rc	request_body(struct flow *);	/* into req->body, whole */

/* A key of Redis: of what is counted, whose it is, and which of its users' ("": none). */
struct slice	request_limit_key(const struct request *, char out[LIMIT_KEY_MAX + 1],
		    const char *what, const char *id, const char *user);
/* The configuration as this tenant has it: with the values of its plan. After request_tenant(). */
void		request_conf(const struct request *, struct api_conf *out);
/* The tenant's requests a minute, and whose key that is. */
unsigned	request_rate(const struct request *, char key[PLAN_KEY_SIZE]);
/* False with ERR_QUESTION_LIMIT, when it is longer than the tenant may ask. */
bool		request_question_fits(const struct request *, size_t characters, struct err *);
/* False as model_chat_allowed(), for what the tenant may name. */
bool		request_model_allowed(const struct request *, const char *name, struct err *);

/* Borrows a connection to the tenant's database into req->lease. The caller returns it, POOL_CLEAN,
 * as soon as it has its rows: no lease is held across a call of the model. */
enum flow_rc	request_borrow(struct flow *);
/* The same for a flow under the request's. */
enum flow_rc	request_borrow_for(struct flow *, struct request *)
		    __attribute__((warn_unused_result));

/*
 * Makes a handler's flow: `size` bytes (its struct, request first) in an arena of its own, started
 * on the context's worker, with the body ceiling and the time-out of its route. The starter gets it
 * zeroed but for the request, and fills in the rest: the first step runs at the loop's next turn.
 * The arena's ceiling allows for the body's fields to be copied into it.
 */
#define REQUEST_ARENA_MAX	(4u << 20)	/* bytes, beyond the body's ceiling */
struct request	*request_start(struct http_exchange *, const struct api_context *,
		    const struct api_route_match *, size_t size, const struct flow_kind *);
/* Reconciles the catalog's list of this tenant's documents in the background: one document at once,
 * or ("") what earlier requests left unfinished, if that was not looked for in ingest_timeout. */
void		request_reconcile(struct request *, const char *document_id);
/* Goes on with the deletion of a document that may have been left half-way, in the background. */
void		request_finish_deletion(struct request *, const char *document_id);
/* A step before whatever reads documents: those whose time is over go first. */
enum flow_rc	request_expire(struct flow *);
/* The same behind a request that has asked the tenant's database, in the background, when it is
 * due. */
void		request_expire_behind(struct request *);
/* A document of this tenant has this time now, as in struct document: the next look is due. */
void		request_expiry_changed(const struct request *, const char *expires_at);
/* Of documents that a search was to be among, k chunks at most: whether one is not stored. */
void		request_note_hits(struct request *, const char *const *ids, unsigned id_count,
		    unsigned k, const struct hits *);
/* Compares the list of this tenant's documents with its database in the background, when it is
 * due. */
void		request_sweep(struct request *);
/* Looks after the index of this tenant's vectors in the background, when it is due. */
void		request_index(const struct request *);
/* ---- what a request has taken (request_usage.c) ---- */
/* What the model is given, once it is known. */
void		request_note_prompt(struct request *, const struct model_chat *);
/* What an answer has cost, however it has ended; before model_chat_stop(). NULL: none. */
void		request_note_answer(struct request *, const struct model_stream *);
void		request_note_document(struct request *, const struct document *);
/* Adds what one call for vectors took. */
void		request_note_vectors(struct request *, const struct model_usage *);
/* The end: what was noted is added to the tenant's usage, and its quotas are settled. */
void		request_count_usage(struct request *);

/* The end of every handler: a failure whose response has not begun becomes problem+json, the access
 * log gets its line, the lease and the exchange go back. */
void		request_end(struct request *, const struct err *);
/* flow_kind.release of every handler: frees the body, wipes the password, frees the arena. */
void		request_release(struct flow *);

/* For whom a model is asked: the tenant, the user whom the caller names, the span of the present
 * step. Borrowed from the request, until it is called again. */
struct model_asker	request_asker(struct request *);
/* request_trace.c. At its start: the trace it is part of. At its end: its spans, if they are
 * wanted. */
void			request_trace_begin(struct request *);
void			request_trace_end(struct request *, const struct err *);

/* Of a handler's flow, whatever its kind; any other flow aborts the process. */
static inline struct request *
request_of(struct flow *f)
{
	struct request *req = (struct request *)(void *)f;

	_Static_assert(offsetof(struct request, flow) == 0, "a flow comes first");
	assert(f->magic == FLOW_MAGIC && req->magic == REQUEST_MAGIC);
	return req;
}

#endif

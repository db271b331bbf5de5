/* SPDX-License-Identifier: MIT */
/*
 * admin_request: what every handler of the admin door begins with (who asks, what the path and the
 * body say) and ends with (a response, a line in the access log, and one of the audit where
 * something was changed). A handler's struct has a struct admin_request as its first member.
 *
 *	admin_start() --> [admin_caller] --> [admin_allow] --> [admin_body] --> [admin_parse]
 *	    --> the handler's own steps --> admin_end()
 *
 * A handler that takes no body leaves out the last two. All on the exchange's worker.
 */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H

#include <assert.h>
#include <jansson.h>
#include <stddef.h>

#include "admin/admin_audit.h"
#include "tenantgate/admin.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/trace_context.h"

struct admin_route;
struct admin_match;

#define ADMIN_MAGIC	0x41444d4eu	/* "ADMN" */
#define ADMIN_ARENA_MAX (4u << 20)	/* bytes, the body's fields among them */
#define ADMIN_BODY_MAX	(32u << 10)	/* bytes: read in one turn of the loop */
#define ADMIN_JSON_MAX	(4u << 20)	/* bytes of a response */

struct admin_request {
	struct flow			 flow;		/* first */
	unsigned			 magic;
	const struct admin_context	*ctx;		/* borrowed */
	const struct api_context	*api;		/* ctx's */
	const struct api_conf		*conf;		/* the api's, when it began */
	struct refs			*snapshot;	/* held, for the conf's sake */
	struct http_exchange		*x;		/* borrowed until admin_end() */
	const struct admin_route	*route;		/* static */
	struct http_path_params		 params;	/* of its path; slices live as long as x */
	char				 request_id[REQUEST_ID_MAX + 1];
	struct trace_context		 trace;		/* for the log: it has no spans */
	struct caller			 caller;	/* from admin_caller() on */
	char				 tenant_id[TENANT_ID_MAX + 1];	/* the path's {tenant},
							 * from admin_allow() on; "": it has none */
	/* The same, or the first that the request names elsewhere. */
	char				 tenant_named[TENANT_ID_MAX + 1];
	bool				 is_dry_run;	/* ?dryRun=true: nothing is changed */
	struct admin_change		 change;	/* what it changes (admin_audit.h) */
	struct buf			 body;		/* owned */
	json_t				*json;		/* owned: the body, an object; {} when there
							 * is none. From admin_parse() on */
};

/* Steps. They fail with what auth_check() fails with, ERR_UNAUTHENTICATED, ERR_FORBIDDEN (another
 * kind of key, a page, a host's name that is not ours), ERR_INVALID_TENANT, ERR_INVALID_FIELD,
 * and what http_read_body() fails with. */
enum flow_rc	admin_caller(struct flow *);
enum flow_rc	admin_allow(struct flow *);
enum flow_rc	admin_body(struct flow *);
enum flow_rc	admin_parse(struct flow *);

/* Makes a handler's flow: `size` bytes (its struct, admin_request first) in an arena of its own.
 * Zeroed but for the request; the first step runs at the loop's next turn. */
struct admin_request	*admin_start(struct http_exchange *, const struct admin_context *,
			    const struct admin_match *, size_t size, const struct flow_kind *);

/* A whole response with a JSON body; then FLOW_DONE, or a failure where it had no memory. */
enum flow_rc	admin_respond(struct flow *, int status, const struct buf *)
		    __attribute__((warn_unused_result));
/* The same of another media type. */
enum flow_rc	admin_respond_as(struct flow *, int status, const char *type, const struct buf *)
		    __attribute__((warn_unused_result));
/* The same as the first; takes the json_t over. NULL is want of memory. */
enum flow_rc	admin_respond_json(struct flow *, int status, json_t *)
		    __attribute__((warn_unused_result));

/* A parameter of the query into the request's arena. p NULL when absent. False with err set when it
 * is longer than max bytes or no text. */
bool	admin_query_text(struct admin_request *, const char *name, size_t max, struct slice *out,
	    struct err *);
/* The same, NUL-terminated; *out stays as it is when it is absent. */
bool	admin_query_string(struct admin_request *, const char *name, size_t max, const char **out,
	    struct err *);
/* A whole number between min and max; *out stays as it is when it is absent. */
bool	admin_query_number(struct admin_request *, const char *name, unsigned min, unsigned max,
	    unsigned *out, struct err *);
/* true or false; likewise. */
bool	admin_query_bool(struct admin_request *, const char *name, bool *out, struct err *);

/* Sends nothing on that is not of the list: false with err set, naming the field, when the body has
 * a member that is not in `names`, which ends with NULL. */
bool	admin_body_has_only(const struct admin_request *, const char *const *names, struct err *);

/* A JSON array that a statement has made, as a new reference: empty where the text is none. */
json_t	*admin_list_read(const char *text);

/* The end of every handler: a failure whose response has not begun becomes problem+json; what was
 * changed gets its line. */
void	admin_end(struct admin_request *, const struct err *);
/* flow_kind.release of every handler. */
void	admin_release(struct flow *);

/* Of a handler's flow, whatever its kind; any other flow aborts the process. */
static inline struct admin_request *
admin_request_of(struct flow *f)
{
	struct admin_request *req = (struct admin_request *)(void *)f;

	_Static_assert(offsetof(struct admin_request, flow) == 0, "a flow comes first");
	assert(f->magic == FLOW_MAGIC && req->magic == ADMIN_MAGIC);
	return req;
}

#endif

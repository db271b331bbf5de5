/* SPDX-License-Identifier: MIT */
/*
 * plan: how much a tenant may have, and how its questions are answered. A value is the tenant's own
 * (the column public.tenants.settings), else its plan's (a section [plan NAME]), else that of
 * [tenantgate].
 *
 * A plan's values are resolved when a tenant's record is made, never by a request. Pure but for the
 * log; any thread. A struct plan does not change once it is made, so all may read it.
 */
#ifndef TENANTGATE_PLAN_H
#define TENANTGATE_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

#define PLANS_MAX		64	/* sections */
#define PLAN_SETTINGS_MAX	8192	/* bytes of a tenant's settings, as JSON */
#define PLAN_PROMPT_MAX		4096	/* bytes of system_prompt */
#define PLAN_MODELS_MAX		1024	/* bytes of models_allowed */

/* A value has the same name in a section and in a tenant's settings, but for requests_per_minute
 * and those beside it, whose names in [tenantgate] are older. */
enum plan_value {
	PLAN_MAX_DOCUMENTS,
	PLAN_MAX_BYTES,
	PLAN_MAX_DOCUMENT_SIZE,
	PLAN_MAX_QUESTION,
	PLAN_REQUESTS_PER_MINUTE,
	PLAN_USER_REQUESTS_PER_MINUTE,
	PLAN_BURST,
	PLAN_TOKENS_PER_MINUTE,
	PLAN_TOKENS_PER_MONTH,
	PLAN_MAX_CONCURRENT_STREAMS,
	PLAN_POOL_SIZE,
	PLAN_TOP_K,
	PLAN_RERANK,
	PLAN_CHUNK_SIZE,
	PLAN_CHUNK_OVERLAP,
	PLAN_TEXT_LANGUAGE,
	PLAN_TEMPERATURE,
	PLAN_SYSTEM_PROMPT,
	PLAN_MODELS_ALLOWED,
	PLAN_VALUES
};

struct plan {
	const char	*name;			/* of its section; NULL: [tenantgate] */
	uint64_t	 documents_max;		/* 0: no such limit */
	uint64_t	 bytes_max;		/* of all its documents' files; 0: no such limit */
	size_t		 document_max;		/* bytes of one document */
	unsigned	 question_max;		/* characters; 0: no such limit */
	unsigned	 requests_per_minute;	/* 0: no such limit */
	unsigned	 user_requests_per_minute;	/* of each user; 0: no such limit */
	unsigned	 burst;			/* requests at once; 0: a minute's count */
	uint64_t	 tokens_per_minute;	/* of models; 0: no such limit, as the next two */
	uint64_t	 tokens_per_month;	/* of the calendar's, in UTC */
	unsigned	 concurrent_streams;	/* answers at the same time */
	unsigned	 pool_size;		/* server connections of its database */
	unsigned	 top_k;			/* chunks found, unless the body says */
	unsigned	 rerank;		/* 1: put in order by rerank_model, likewise */
	unsigned	 chunk_size;		/* UTF-16 units */
	unsigned	 chunk_overlap;		/* the same; less than chunk_size */
	unsigned	 text_language;		/* enum language: of its documents' words */
	const char	*temperature_text;	/* as it is written; NULL or "": not given */
	double		 temperature;		/* the same; < 0: not given */
	const char	*system_prompt;		/* before our own rules; NULL: none */
	const char	*models_allowed;	/* besides chat_model; NULL: none */
	unsigned	 of_tenant;		/* bits of enum plan_value: set by the tenant */
	unsigned	 of_section;		/* the same: other than [tenantgate]'s */
};

/* What holds where nothing is configured: the defaults of [tenantgate]. */
extern const struct plan	plan_standard;

/* All plans of a process, as the configuration has them. What is resolved from them borrows their
 * texts, and is to be resolved anew once there are plans of another generation. */
struct plans {
	const struct plan	*standard;	/* of [tenantgate] */
	const struct plan	*items;
	unsigned		 count;
	uint64_t		 generation;	/* another with each reload; from 0 */
};

/* The plan of that name; of "" the standard one, and of a name that there is not, too, which is
 * logged once a minute. */
const struct plan	*plan_of_name(const struct plans *, const char *name, const char *tenant);
/* A plan with what the tenant's settings say otherwise: free() it. NULL when they say nothing. What
 * has no such name, or no such value, is passed over and logged, at most once a minute. */
struct plan	*plan_resolve(const struct plan *, struct slice settings, const char *tenant)
		 __attribute__((warn_unused_result));
/* Whether plan_resolve() would take every one of the settings, an object: false with err set, which
 * names the first that it would not. A member that is null is as if it were not there. */
bool	plan_settings_check(const struct plan *, const json_t *settings, struct err *);
/* A copy with its texts; NULL when the arena is full. */
const struct plan	*plan_copy(const struct plan *, struct arena *);

/* False when the text is no number of 0 to 2; of "" and NULL -1. */
bool	plan_temperature_read(const char *text, double *out);
/* Notes in of_section what is other than the standard's. */
void	plan_compare(struct plan *, const struct plan *standard);

/* For operators: its name in a section; its value as JSON, null for none; and whose word it is: the
 * tenant's own settings, its plan's section, or [tenantgate]'s. */
enum plan_origin { PLAN_OF_TENANT, PLAN_OF_SECTION, PLAN_OF_DEFAULTS };
const char		*plan_value_name(enum plan_value);
void			 plan_value_put(struct buf *, const struct plan *, enum plan_value);
enum plan_origin	 plan_value_origin(const struct plan *, enum plan_value);

/* Which key an operator changes: "max_documents of [plan free]", "... of the tenant's settings".
 * For the log: err_cause(). */
#define PLAN_KEY_SIZE	96
const char	*plan_key(const struct plan *, enum plan_value, char out[PLAN_KEY_SIZE]);

#endif

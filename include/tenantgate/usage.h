/* SPDX-License-Identifier: MIT */
/*
 * usage: what tenants have used, by day (UTC) and model, in the catalog's table tenant_usage.
 *
 * Each worker gathers in memory of its own, without locks, and writes a batch every write_interval:
 * one statement, which also moves the number of the writer's last batch, so that a batch whose
 * answer was lost and which is sent again counts once. What a killed process had gathered since its
 * last batch, write_interval at most, is lost; an orderly stop writes it. While the catalog is away
 * it is kept, up to USAGE_ROWS_MAX rows; of what comes beyond, the log says how much.
 *
 * A struct usage is of one worker's thread.
 */
#ifndef TENANTGATE_USAGE_H
#define TENANTGATE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/catalog.h"

struct usage;

#define USAGE_ROWS_MAX	20000	/* of a tenant, a day and a model: of one worker, unwritten */
#define USAGE_MODEL_MAX 200	/* bytes of a model's name; cut between characters */

struct usage_conf {
	uint64_t	write_interval_us;
	uint64_t	retention_us;	/* older days are deleted */
};
void	usage_conf_init(struct usage_conf *);

/* What is added to a row. Of a request that a model has answered, all but documents and bytes is in
 * that model's row; of any other in the row without a model; what vectors took is in the row of the
 * model that made them. So a column's sum is the tenant's own. */
struct usage_count {
	uint64_t	requests;
	uint64_t	input_tokens, output_tokens;	/* of answers */
	uint64_t	embedding_calls, embedding_tokens;
	uint64_t	documents, bytes;		/* stored, and the bytes of their files */
};

/* The catalog is borrowed, and closed after. Nothing is written until something is noted. */
struct usage	*usage_open(struct worker *, struct catalog *, const struct usage_conf *);
/* When the worker's flows have ended. NULL is fine. What is still unwritten is lost: the log says
 * how much. */
void		 usage_close(struct usage *);
/* Other times, from the next write on. */
void		 usage_configure(struct usage *, const struct usage_conf *);

/* model: NULL or "": none. Copied. Never fails: what there is no room for is counted in the log. */
void		 usage_note(struct usage *, const char *tenant, const char *model,
		    const struct usage_count *);
/* Writes what there is, now. */
void		 usage_flush(struct usage *);
/* Nothing is left to be written, nor is anything on its way; or the catalog is known to be away, so
 * that waiting is of no use. */
bool		 usage_is_settled(const struct usage *);

/* ---- reading ---- */
/* Of days, both included: "YYYY-MM-DD". */
#define USAGE_DAY_SIZE	11
struct usage_days {
	char	from[USAGE_DAY_SIZE], to[USAGE_DAY_SIZE];
};
#define USAGE_DAYS_DEFAULT	31
#define USAGE_READ_MAX		20000	/* rows of one tenant's answer */

/* Absent ones (p NULL): of the last USAGE_DAYS_DEFAULT days, by this machine's clock. False with
 * ERR_INVALID_FIELD. */
bool	usage_days_read(struct slice from, struct slice to, struct usage_days *, struct err *);
/* One tenant's rows as JSON: {"from","to","delaySeconds","usage":[...],"totals":{...}}. What was
 * gathered since the last batch is not in it, which the delay tells. */
void	usage_days_put(struct buf *, const struct usage_days *, const struct usage_conf *,
	    const struct pg_result *);

/* A tenant's rows, oldest day first, at most USAGE_READ_MAX and one more. As catalog_run(). */
enum flow_rc	usage_read(struct flow *, struct catalog *, const char *tenant,
		    const struct usage_days *, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* All tokens of the month so far, by this machine's clock: one row. */
enum flow_rc	usage_read_month(struct flow *, struct catalog *, const char *tenant,
		    struct pg_result *out) __attribute__((warn_unused_result));
uint64_t	usage_month_tokens(const struct pg_result *);

/* Sums of each tenant over those days, in the order of their ids. */
struct usage_page {
	struct usage_days	days;
	const char		*prefix;	/* of the ids; "": all */
	const char		*after;		/* an id: the page begins behind it; "" */
	unsigned		limit;
};
/* limit and one more. */
enum flow_rc	usage_read_tenants(struct flow *, struct catalog *, const struct usage_page *,
		    struct pg_result *out) __attribute__((warn_unused_result));

struct usage_row {
	const char		*tenant;	/* of usage_read_tenants(); else "" */
	const char		*day;		/* of usage_read(); else "" */
	const char		*model;		/* the same; "": none */
	struct usage_count	count;
};
/* Borrows from the result. */
void	usage_row_read(const struct pg_result *, unsigned row, struct usage_row *out);
void	usage_count_add(struct usage_count *, const struct usage_count *more);
/* "requests":1,"inputTokens":... : members of a JSON object, without its braces. */
void	usage_count_put(struct buf *, const struct usage_count *);

#endif

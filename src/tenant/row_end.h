/* SPDX-License-Identifier: MIT */
/*
 * row_end: the SQL by which a tenant ends, and comes back from a suspension: the order in its row,
 * the lease of who carries it out, what has been done, and the receipt of a deletion.
 *
 *	order (state, end_order, one more end_serial) --> claim --> ... --> done (no end_order)
 *	                                                    ^--- failed: rest ---+
 *
 * Each statement may be repeated. Writes of the work name its attempt and the order's serial: they
 * change nothing once there is a newer order, or another has the lease. All strings are borrowed
 * until the wait is over; *out is the caller's to pg_clear().
 */
#ifndef TENANT_ROW_END_H
#define TENANT_ROW_END_H

#include "tenant/row.h"
#include "tenantgate/tenant/ends.h"

/* reason: NULL for none. No row changed: there is no such tenant, it is deleted already, or (to be
 * resumed) it is not suspended. */
enum flow_rc row_end_order(struct flow *, struct catalog *, const char *id, enum tenant_order,
    const char *reason, struct pg_result *out) __attribute__((warn_unused_result));

/* Who is at work, in every write of it. */
struct row_end_work {
	const char *id, *attempt; /* borrowed */
	char serial[12];	  /* decimal: of the order, as the claim gave it */
	char lease_ms[24];	  /* decimal: the lease from now; row_end_fail(): the rest */
};

/* What is still to be done of a deletion, by its receipt. */
enum end_stage { END_REQUESTS, END_DATABASE, END_REDIS, END_CATALOG };

struct row_end_task {
	enum tenant_order order;
	enum end_stage stage; /* of a deletion */
	int ordered_ago_s;
	bool is_being_made; /* an attempt may not have noticed yet that the row is not its own */
};

/* One row, for row_end_read(), when there is something to do and the lease is the attempt's; may be
 * repeated to renew it. */
enum flow_rc row_end_claim(struct flow *, struct catalog *, const struct row_end_work *,
    struct pg_result *out) __attribute__((warn_unused_result));
/* Fills work->serial, the task, and of the row what names its database: no password is read. */
void row_end_read(const struct pg_result *, struct row_end_work *, struct row_end_task *,
    struct tenant_row *);
/* A row when there is an order, and an attempt is at it. */
enum flow_rc row_end_busy(struct flow *, struct catalog *, const char *id, struct pg_result *out)
    __attribute__((warn_unused_result));

/* A stage of a deletion is over: the time goes into the receipt. */
struct row_end_note {
	enum end_stage stage;
	const char *stored_bytes;  /* decimal; NULL: not known */
	const char *projects_left; /* ids; NULL: none */
};
enum flow_rc row_end_note(struct flow *, struct catalog *, const struct row_end_work *,
    const struct row_end_note *, struct pg_result *out) __attribute__((warn_unused_result));
/* Keys are revoked, and of the list of documents a batch goes; both are counted in the receipt. One
 * row: how many documents went, 0 at the end. No row: the work is another's. */
enum flow_rc row_end_documents(struct flow *, struct catalog *, const struct row_end_work *,
    struct pg_result *out) __attribute__((warn_unused_result));
/* The order is carried out. What a deletion leaves is the tombstone. No row changed: there is a
 * newer order, or another attempt. */
enum flow_rc row_end_done(struct flow *, struct catalog *, const struct row_end_work *,
    enum tenant_order, struct pg_result *out) __attribute__((warn_unused_result));
/* It was not, for this reason (as row_error_write() made it); nobody tries again for lease_ms. */
enum flow_rc row_end_fail(struct flow *, struct catalog *, const struct row_end_work *,
    const char *why, struct pg_result *out) __attribute__((warn_unused_result));

/* Tenants with an order that nobody is at, some of them: their ids. */
#define END_PAGE 16
enum flow_rc row_end_list(struct flow *, struct catalog *, struct pg_result *out)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
/*
 * sweep_mend: the statements by which a sweep compares a page of the list with what is stored, and
 * mends it; and, of owners, times and adopted names, tells the tenant's database what the list
 * alone knows. The rule is in document_owner.h. Private to sweep.c, which says what holds.
 */
#ifndef RETRIEVAL_SWEEP_MEND_H
#define RETRIEVAL_SWEEP_MEND_H

#include "tenantgate/retrieval.h"

/* The catalog's side (sweep_list.c); as catalog_run(). sweep_list_claim(): a row when the sweep may
 * begin, for none has begun within the interval (decimal), with whether the database was adopted.
 * sweep_list_add(): of these ids (a text[]) each that is not listed, or as failed, gets a row that
 * is in doubt. sweep_list_page(): ids behind the cursor, and their times, SWEEP_ROWS_PAGE of them,
 * which are ready or in doubt. */
#define SWEEP_ROWS_PAGE 100
enum flow_rc	sweep_list_claim(struct flow *, struct catalog *, const char *tenant,
		    const char *interval_us, struct pg_result *out)
		    __attribute__((warn_unused_result));
enum flow_rc	sweep_list_add(struct flow *, struct catalog *, const char *tenant,
		    const char *ids, struct pg_result *out) __attribute__((warn_unused_result));
enum flow_rc	sweep_list_page(struct flow *, struct catalog *, const char *tenant,
		    const char *cursor, struct pg_result *out) __attribute__((warn_unused_result));

/* Ids of what is stored behind the cursor, IDS_PAGE of sweep.c at most. As pool_read(). */
enum flow_rc	sweep_stored_page(struct flow *, struct pool_lease *, int schema_version,
		    const char *cursor, struct pg_result *out) __attribute__((warn_unused_result));

/* Which of the ids (a text[]) are stored, and as what: one value, JSON. As pool_read(). */
enum flow_rc	sweep_read_stored(struct flow *, struct pool_lease *, int schema_version,
		    const char *ids, struct pg_result *out) __attribute__((warn_unused_result));

/* Of its result: the database is older than its record says, for it was set back in time: the
 * version is lowered, and it is to be read again. */
bool		document_lacks_owner(const struct pg_result *, int *schema_version);

/* Whether an app's own table of vectors is still being copied (embeddings_copy.h): a row when it
 * is. As pool_read(). */
enum flow_rc	sweep_look_for_copy(struct flow *, struct pool_lease *, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* Rows of these ids, each as it was at its time of `seen`, become what is stored, or go. As
 * catalog_run(). */
enum flow_rc	sweep_mend_rows(struct flow *, struct catalog *, const char *tenant,
		    const char *ids, const char *seen, const char *stored, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* What came of it. `untold` is borrowed from the result: for sweep_tell(); NULL when there is
 * nothing to tell. */
struct mended_page {
	unsigned long	gone, mended;
	const char	*untold;
};
struct mended_page	sweep_mended_page(const struct pg_result *);

/* Of what is still as it was read. As pool_read(). */
enum flow_rc	sweep_tell(struct flow *, struct pool_lease *, const char *untold,
		    struct pg_result *out) __attribute__((warn_unused_result));

#endif

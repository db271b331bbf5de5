/* SPDX-License-Identifier: MIT */
/*
 * sweep_mend: the statements by which a sweep compares a page of the list with what is stored, and
 * mends it; and, of owners and times, tells the tenant's database what the list alone knows. The
 * rule is in document_owner.h. Private to sweep.c, which says what holds.
 */
#ifndef RETRIEVAL_SWEEP_MEND_H
#define RETRIEVAL_SWEEP_MEND_H

#include "tenantgate/retrieval.h"

/* Which of the ids (a text[]) are stored, and as what: one value, JSON. As pool_read(). */
enum flow_rc	sweep_read_stored(struct flow *, struct pool_lease *, int schema_version,
		    const char *ids, struct pg_result *out) __attribute__((warn_unused_result));

/* Of its result: the database is older than its record says, for it was set back in time: the
 * version is lowered, and it is to be read again. */
bool		document_lacks_owner(const struct pg_result *, int *schema_version);

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

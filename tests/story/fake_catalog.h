/* SPDX-License-Identifier: MIT */
/*
 * fake_catalog: a catalog of prepared results, linked in place of catalog/ and wire/. A result is a
 * table of texts, given a turn of the loop later.
 */
#ifndef TESTS_STORY_FAKE_CATALOG_H
#define TESTS_STORY_FAKE_CATALOG_H

#include "tenantgate/catalog.h"

#define FAKE_COLS 29

struct fake_row {
	const char *col[FAKE_COLS]; /* NULL: SQL null */
};

/* The result of a query, which the test fills in: rows (static) and their count, or a failure. */
struct fake_result {
	enum pg_status status;
	const struct fake_row *rows;
	unsigned count;
	unsigned changed;
	const char *sqlstate; /* static; NULL: none */
};
typedef void fake_result_fn(const struct pg_query *, struct fake_result *);

/* No rows; no connection. */
fake_result_fn fake_catalog_empty, fake_catalog_lost;

/* All queries from now on; delay_us 0: the next turn. */
void fake_catalog_returns(fake_result_fn *, uint64_t delay_us);
void fake_catalog_fails_at_once(bool); /* what catalog_is_failing() says, until then: false */
unsigned fake_catalog_asked(void); /* queries so far */
unsigned fake_catalog_asked_in(enum catalog_lane); /* of them in this lane */
struct slice fake_catalog_holder(void);		   /* of the last one; in 64 bytes of its own */

#endif

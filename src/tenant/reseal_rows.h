/* SPDX-License-Identifier: MIT */
/*
 * reseal_rows: passwords in the catalog that another key than the first has sealed, some at a time:
 * read, sealed anew in memory, written. A password is replaced only where the row still holds the
 * one that was opened. For reseal.c, which decides whether it may be done, and reseal_now.c.
 */
#ifndef TENANT_RESEAL_ROWS_H
#define TENANT_RESEAL_ROWS_H

#include "tenant/row.h"

#define RESEAL_HOLDER	 SLICE_LIT("seal_keys")
#define RESEAL_ROWS_MAX	 (256 * 1024) /* bytes of JSON, of so many rows */
#define RESEAL_PLAIN_MAX 1024
#define SEALED_WITH	 "pg_catalog.left(db_password_sealed, 10)" /* SEAL_PREFIX_LEN */

/* Rows whose ids are above `last`, not sealed with the key of that prefix. is_recent: written in
 * the last minutes alone. As catalog_run(), like reseal_save(). */
enum flow_rc reseal_select(struct flow *, struct catalog *, const char *prefix, const char *last,
    bool is_recent, struct pg_result *) __attribute__((warn_unused_result));
/* What opens, into rows as JSON for reseal_save(); how many. last: the id of the last row. */
unsigned reseal_rows(const struct seal *, const struct pg_result *, char last[TENANT_ID_MAX + 1],
    struct buf *rows);
enum flow_rc reseal_save(struct flow *, struct catalog *, const char *rows, struct pg_result *)
    __attribute__((warn_unused_result));
/* plain: with room for RESEAL_PLAIN_MAX, and the caller's to buf_wipe(). */
bool reseal_open(const struct seal *, const char *id, struct slice sealed, struct buf *plain);
/* A catalog that takes no writes, or none of ours. */
bool reseal_is_refused(const struct pg_result *);

#endif

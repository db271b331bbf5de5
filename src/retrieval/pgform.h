/* SPDX-License-Identifier: MIT */
/*
 * pgform: values in Postgres' own forms. Pure. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_PGFORM_H
#define TENANTGATE_RETRIEVAL_PGFORM_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"

/* SQL: a timestamp as it is shown. */
#define PGFORM_RFC3339(column)	"to_char(" column " AT TIME ZONE 'UTC'," \
				" 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* A vector's binary form, without the length before it: 4 + 4 * n bytes. */
#define PGFORM_VECTOR_SIZE(n)	(4 + 4 * (size_t)(n))
bool	pgform_vector(struct buf *, const float *, unsigned n);
/* A text[] as text: {"a","b"}, whatever the letters. */
bool	pgform_array(struct buf *, const char *const *, unsigned n);

/* What begins and ends a COPY in binary form. */
bool	pgform_copy_begin(struct buf *);
bool	pgform_copy_end(struct buf *);

#endif

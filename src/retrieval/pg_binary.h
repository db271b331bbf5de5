/* SPDX-License-Identifier: MIT */
/*
 * pgform: values in Postgres' own forms. Pure. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_PG_BINARY_H
#define TENANTGATE_RETRIEVAL_PG_BINARY_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"

/* SQL: a timestamp as it is shown. */
#define PG_RFC3339(column)	"to_char(" column " AT TIME ZONE 'UTC'," \
				" 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* A vector's binary form, without the length before it: 4 + 4 * n bytes. */
#define PG_BINARY_VECTOR_SIZE(n)	(4 + 4 * (size_t)(n))
bool	pg_binary_vector(struct buf *, const float *, unsigned n);
/* A text[] as text: {"a","b"}, whatever the letters. */
bool	pg_text_array(struct buf *, const char *const *, unsigned n);

/* What begins and ends a COPY in binary form. */
bool	pg_binary_copy_begin(struct buf *);
bool	pg_binary_copy_end(struct buf *);

#endif

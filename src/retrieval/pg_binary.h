/* SPDX-License-Identifier: MIT */
/*
 * pg_binary: values in the forms that Postgres and pgvector read without parsing text. Pure; all
 * append to a buf, and are false when it is full or without memory. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_PG_BINARY_H
#define TENANTGATE_RETRIEVAL_PG_BINARY_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/wire/pg_sql.h"

/* A vector's binary form (pgvector's vector_recv()), without the field's length before it: int16
 * count, int16 zero, then the float4s, big-endian: 4 + 4 * n bytes. */
#define PG_BINARY_VECTOR_SIZE(n)	(4 + 4 * (size_t)(n))
bool	pg_binary_vector(struct buf *, const float *, unsigned n);
/* The reverse. False, for another length. */
bool	pg_binary_vector_read(struct slice, float *, unsigned n);
/* A text[] as text: {"a","b"}, each element quoted, so that none can end the array or be NULL. */
bool	pg_text_array(struct buf *, const char *const *, unsigned n);

/* A text[] as binary: how many there are, then each. */
#define PG_BINARY_TEXTS_SIZE(n, bytes)	(20 + 4 * (size_t)(n) + (bytes))
bool	pg_binary_texts_begin(struct buf *, size_t n);
bool	pg_binary_text(struct buf *, struct slice);

/* The header (signature, flags, length of an extension) and the trailer (-1) of a binary COPY. */
bool	pg_binary_copy_begin(struct buf *);
bool	pg_binary_copy_end(struct buf *);

#endif

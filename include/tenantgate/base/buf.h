/* SPDX-License-Identifier: MIT */
/*
 * buf: growing bytes with a ceiling. An append past the ceiling, or without memory, appends nothing
 * and sets `failed`, which stays: write a whole message, then check once.
 * Owned by whoever declares it; buf_free() is idempotent. One thread at a time.
 */
#ifndef TENANTGATE_BASE_BUF_H
#define TENANTGATE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"

struct buf {
	char	*data;		/* owned; NUL-terminated at data[len] once anything was added */
	size_t	 len;		/* bytes in use */
	size_t	 cap;		/* bytes that fit before it grows */
	size_t	 max;		/* ceiling for len, bytes */
	bool	 failed;	/* an append was refused: what is here is not whole */
	bool	 no_memory;	/* it failed for want of memory, not at the ceiling */
};

void	buf_init(struct buf *, size_t max);
void	buf_free(struct buf *);			/* back to the state after buf_init() */
void	buf_reset(struct buf *);		/* empty, memory kept, failed cleared */

bool	buf_add(struct buf *, const void *, size_t);
bool	buf_puts(struct buf *, const char *);
bool	buf_putc(struct buf *, char);
bool	buf_slice(struct buf *, struct slice);
bool	buf_uint(struct buf *, uint64_t);	/* in decimal */
bool	buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool	buf_be16(struct buf *, uint16_t);	/* big-endian, for the Postgres wire forms */
bool	buf_be32(struct buf *, uint32_t);
bool	buf_be64(struct buf *, uint64_t);
/* n more bytes at the end (len grows by n), for the caller to write; NULL when refused. Valid until
 * the next append. */
char	*buf_extend(struct buf *, size_t n);
/* Makes space for n more bytes, as far as the ceiling and memory allow: a hint that never fails. */
void	buf_reserve(struct buf *, size_t n);
void	buf_drop(struct buf *, size_t n);	/* n bytes off the front */
void	buf_cut(struct buf *, size_t len);	/* keeps the first len bytes; len <= buf->len */

static inline struct slice
buf_view(const struct buf *b)
{
	return slice_of(b->data, b->len);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * secret: how bytes that nobody may learn are compared and erased. Any thread.
 */
#ifndef TENANTGATE_BASE_SECRET_H
#define TENANTGATE_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/buf.h"

/* In constant time: whoever could measure where memcmp() stops would guess a key byte by byte. */
bool	bytes_equal_ct(const void *, const void *, size_t);
/* Zeroes. Unlike memset(), it is not optimised away when the bytes are never read again. */
void	bytes_wipe(void *, size_t);
/* Zeroes all the memory that the buf has now, and frees it. Memory that it had before it grew was
 * freed as it was: so a buf for a secret is given its size by buf_reserve() before it holds one. */
void	buf_wipe(struct buf *);

#endif

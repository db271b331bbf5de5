/* SPDX-License-Identifier: MIT */
/*
 * secret: bytes that must be compared or forgotten with care. Any thread.
 */
#ifndef TENANTGATE_BASE_SECRET_H
#define TENANTGATE_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/buf.h"

/* In constant time: how long it takes says nothing about where the two differ. */
bool	bytes_equal_ct(const void *, const void *, size_t);
/* Zeroes, and is not optimised away when the bytes are never read again. */
void	bytes_wipe(void *, size_t);
/* Zeroes what it holds and held, and frees it. (What a growing buf left behind it is not reached:
 * a secret's buf has room for it from the start, or grows before it holds one.) */
void	buf_wipe(struct buf *);

#endif

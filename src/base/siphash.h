/* SPDX-License-Identifier: MIT */
/*
 * siphash: SipHash-2-4, a keyed hash for tables whose keys clients choose: without the key nobody
 * can make many of them collide. Any thread.
 */
#ifndef TENANTGATE_BASE_SIPHASH_PRIVATE_H
#define TENANTGATE_BASE_SIPHASH_PRIVATE_H

#include <stdint.h>

#include "tenantgate/base/slice.h"

#define SIPHASH_KEY_SIZE	16

uint64_t	siphash(const uint8_t key[SIPHASH_KEY_SIZE], struct slice);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * siphash: SipHash-2-4, the keyed hash of tables whose keys come from outside.
 */
#ifndef TENANTGATE_BASE_SIPHASH_PRIVATE_H
#define TENANTGATE_BASE_SIPHASH_PRIVATE_H

#include <stdint.h>

#include "tenantgate/base/slice.h"

#define SIPHASH_KEY_SIZE	16

uint64_t	siphash(const uint8_t key[SIPHASH_KEY_SIZE], struct slice);

#endif

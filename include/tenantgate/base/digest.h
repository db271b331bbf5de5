/* SPDX-License-Identifier: MIT */
/*
 * digest: SHA-256 of bytes already in memory, and HMAC (RFC 2104) on it. Any thread.
 */
#ifndef TENANTGATE_BASE_DIGEST_H
#define TENANTGATE_BASE_DIGEST_H

#include <stdint.h>

#include "tenantgate/base/slice.h"

#define SHA256_SIZE	32
#define SHA256_HEX_SIZE	65	/* with the NUL */

void	sha256(struct slice, uint8_t out[SHA256_SIZE]);
void	sha256_hex(struct slice, char out[SHA256_HEX_SIZE]);	/* lower case */
void	hmac_sha256(struct slice key, struct slice in, uint8_t out[SHA256_SIZE]);

#endif

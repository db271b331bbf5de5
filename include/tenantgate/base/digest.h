/* SPDX-License-Identifier: MIT */
/*
 * digest: SHA-256, and HMAC (RFC 2104) on it. Any thread.
 */
#ifndef TENANTGATE_BASE_DIGEST_H
#define TENANTGATE_BASE_DIGEST_H

#include <stdint.h>

#include "tenantgate/base/slice.h"

#define SHA256_SIZE	32
#define SHA256_HEX_SIZE	65	/* with the NUL */

void	sha256(struct slice, uint8_t out[SHA256_SIZE]);
void	sha256_hex(struct slice, char out[SHA256_HEX_SIZE]);	/* lower case */
/* The same of bytes that come piece by piece: begin, add, and end, which frees it. */
struct sha256_sum;
struct sha256_sum	*sha256_begin(void);
void	sha256_add(struct sha256_sum *, struct slice);
void	sha256_end_hex(struct sha256_sum *, char out[SHA256_HEX_SIZE]);
void	hmac_sha256(struct slice key, struct slice in, uint8_t out[SHA256_SIZE]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * chunk_hash: see retrieval/staging.h.
 */
#include "tenantgate/retrieval/staging.h"

void
chunk_hash(const char *model, struct slice content, uint8_t out[CHUNK_HASH_SIZE])
{
	hmac_sha256(slice_str(model), content, out);
}

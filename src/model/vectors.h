/* SPDX-License-Identifier: MIT */
/*
 * vectors: the answer of /v1/embeddings to floats, each vector in the place its index names. Takes
 * base64 (little-endian float32, what we ask for) and JSON arrays (what servers send that do not
 * know base64). Pure.
 *
 * Refuses: not JSON, an index out of range, twice or missing, another length, NaN, infinities, and
 * zero vectors, which no cosine index would ever find.
 */
#ifndef TENANTGATE_MODEL_VECTORS_H
#define TENANTGATE_MODEL_VECTORS_H

#include <stddef.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/model.h"

/* out: n * dimensions floats. NULL when all is well, else what is wrong (static, for a log). */
const char	*vectors_read(struct slice body, size_t n, unsigned dimensions, float *out,
		    struct model_usage *) __attribute__((warn_unused_result));

#endif

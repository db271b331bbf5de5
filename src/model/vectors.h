/* SPDX-License-Identifier: MIT */
/*
 * vectors: reads the response of POST /v1/embeddings into floats, each vector at the place that its
 * index names (the order of the items is not to be relied on). Where an index is absent or null the
 * place is the item's position, provided that each index that is there equals its item's position.
 * Takes base64 (little-endian float32, what we ask for) and JSON arrays (from servers that ignore
 * encoding_format). Pure.
 *
 * Refuses what is not JSON, an index that is out of range or comes twice, or is missing where
 * others are out of order, another length, NaN and infinities (which pgvector refuses for the whole
 * batch), and zero vectors, which have no cosine distance: an index would never find them. Very
 * short and very long ones are scaled, exactly: an index would not find the ones, and not take the
 * others.
 */
#ifndef TENANTGATE_MODEL_VECTORS_H
#define TENANTGATE_MODEL_VECTORS_H

#include <stddef.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/model.h"

/* out: n * dimensions floats, of use only when NULL is returned; otherwise what is wrong: a static
 * sentence, for the caller and the log. */
const char	*vectors_read(struct slice body, size_t n, unsigned dimensions, float *out,
		    struct model_usage *) __attribute__((warn_unused_result));

#endif

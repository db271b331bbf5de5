/* SPDX-License-Identifier: MIT */
/*
 * vector_model: whose a tenant's vectors are. Vectors of two models have nothing to do with each
 * other, and a search among both finds chance, without a word. So which model made those of a
 * tenant is a fact of its own database (public.retrieval), written with its first document, or with
 * the next where there were documents before it was noted; and whoever comes with vectors of
 * another model is refused (ERR_VECTORS), until `tenantgate reembed` has made them anew.
 *
 * The operation is a flow's, on its worker; it fails it as pg_check() and pool_read() do, and
 * borrows what it is given until the wait is over.
 */
#ifndef TENANTGATE_RETRIEVAL_VECTOR_MODEL_H
#define TENANTGATE_RETRIEVAL_VECTOR_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/err.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"

#define VECTOR_MODEL_SIZE 136 /* of a name, and its NUL */

/* A model that makes vectors. */
struct vector_model {
	const char *name; /* as embedding_model has it: MODEL, or NAME/MODEL */
	unsigned dimensions;
};

/* As a database has it. */
struct vector_stored {
	char model[VECTOR_MODEL_SIZE]; /* "": it is not noted */
	unsigned dimensions;
};

/* The same model, wherever it is asked: a server's name before it does not count. `stored` is the
 * name in a database; "" (none is noted) is any. Pure. */
bool	vectors_are_of(const char *stored, unsigned stored_dimensions,
	    const struct vector_model *);
/* Sets ERR_VECTORS; the cause names both. */
void	vectors_refuse(const char *stored, unsigned stored_dimensions, const struct vector_model *,
	    struct err *);

/* Whether they have length 1, as far as the first of them tell. Pure. */
bool	vectors_are_normalized(const float *const *vectors, size_t n, unsigned dimensions);

/* Refuses another model's vectors before any are made. Known once a connection: then at once. */
enum flow_rc	vectors_check(struct flow *, struct pool_lease *, const struct vector_model *,
		    int schema_version) __attribute__((warn_unused_result));

#endif

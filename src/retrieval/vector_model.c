/* SPDX-License-Identifier: MIT */
/*
 * vector_model: see the header; what of it is pure.
 */
#include "tenantgate/retrieval/vector_model.h"

#include <math.h>
#include <string.h>

#define SAMPLE_MAX   32	  /* vectors looked at */
#define LENGTH_SLACK 1e-3 /* of a vector of length 1, as 16 bits a number leave it */

static bool
ends_in_model(const char *name, const char *model)
{
	size_t n = strlen(name), m = strlen(model);

	return n > m && name[n - m - 1] == '/' && strcmp(name + n - m, model) == 0;
}

/* "near/bge-m3", "far/bge-m3" and "bge-m3" are one. */
static bool
is_same_model(const char *a, const char *b)
{
	const char *rest_a = strchr(a, '/'), *rest_b = strchr(b, '/');

	return strcmp(a, b) == 0 || ends_in_model(a, b) || ends_in_model(b, a) ||
	    (rest_a != NULL && rest_b != NULL && strcmp(rest_a, rest_b) == 0);
}

bool
vectors_are_of(const char *stored, unsigned stored_dimensions, const struct vector_model *model)
{
	if (stored[0] == '\0')
		return true;
	return is_same_model(stored, model->name) &&
	    (stored_dimensions == 0 || stored_dimensions == model->dimensions);
}

void
vectors_refuse(const char *stored, unsigned stored_dimensions, const struct vector_model *model,
    struct err *err)
{
	err_set(err, ERR_VECTORS,
	    "This tenant's documents have vectors of another model than the one that is configured "
	    "now, whose cannot be added to them or compared with them. Ask the operator to run "
	    "`tenantgate reembed TENANT`, or to set embedding_model back.");
	err_cause(err, "stored: %.100s (%u numbers); embedding_model: %.100s (%u)", stored,
	    stored_dimensions, model->name, model->dimensions);
}

bool
vectors_are_normalized(const float *const *vectors, size_t n, unsigned dimensions)
{
	for (size_t i = 0; i < n && i < SAMPLE_MAX; i++) {
		double sum = 0;

		for (unsigned k = 0; k < dimensions; k++)
			sum += (double)vectors[i][k] * (double)vectors[i][k];
		if (fabs(sqrt(sum) - 1) > LENGTH_SLACK)
			return false;
	}
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * request_conf: the configuration with the values of a tenant's plan. A copy of a few hundred
 * bytes, so that what is done by a helper thread needs nothing of the request.
 */
#include "api/request.h"

void
request_conf(const struct request *req, struct api_conf *out)
{
	const struct plan *limits = req->tenant.limits;

	*out = *req->conf;
	if (limits->document_max < out->document_max)
		out->document_max = limits->document_max;
	out->chunk_size = limits->chunk_size;
	out->chunk_overlap = limits->chunk_overlap;
	out->top_k = limits->top_k;
}

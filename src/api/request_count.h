/* SPDX-License-Identifier: MIT */
/*
 * request_count: where a request is counted (tenantgate/api/request_meters.h).
 */
#ifndef API_REQUEST_COUNT_H
#define API_REQUEST_COUNT_H

#include "api/request.h"
#include "tenantgate/api/request_meters.h"

/* What its limits and quotas have decided. */
void	request_count_decisions(const struct request *);
/* One limit, by its name ("network"). */
void	request_count_decision(const struct request *, const char *limit, const char *decision,
	    const char *mode);
/* At its end: whether its client has left. */
void	request_count_end(const struct request *, const struct err *);
/* What it took, as it is added to its tenant's usage. */
void	request_count_tokens(const struct request *, uint64_t embedding_tokens);

#endif

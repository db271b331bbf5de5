/* SPDX-License-Identifier: MIT */
/*
 * respond: the fields that every response carries, whole JSON responses, and the access log's line.
 * All of it before the response begins; the log's line when the handler ends.
 */
#ifndef API_RESPOND_H
#define API_RESPOND_H

#include "api/request.h"

/* What a rule of request_limit() is called, in RateLimit-Policy, in problems and in sentences. */
const char	*limit_policy_name(unsigned which);
/* The fields of the limiter's verdict; none where nothing was limited. */
void	respond_limits(const struct request *);
/* A failure before the response began. Retry-After is never earlier than RateLimit's t. */
void	respond_problem(const struct request *, const struct err *);
/* A whole response with a JSON body. */
void	respond_json(struct http_exchange *, int status, const struct buf *);
/* One JSON line for one request; err: what its flow ended with. None when access_log is off. */
void	access_log_write(const struct request *, const struct err *);

#endif

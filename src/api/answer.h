/* SPDX-License-Identifier: MIT */
/*
 * answer: headers every answer carries, and the access log's line.
 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include "api/visit.h"

/* X-Request-Id: the caller's if it is sane ([A-Za-z0-9._:-], 1..64), else a new one. */
void	answer_request_id(const struct http_exchange *, char out[REQUEST_ID_MAX + 1]);
/* RateLimit-*, after the limiter has spoken. */
void	answer_limits(struct http_exchange *, const struct limit_verdict *);
/* 200..: a whole JSON body. */
void	answer_json(struct http_exchange *, int status, const struct buf *);
/* One JSON line; err as the flow ended. */
void	answer_log(const struct visit *, const struct err *);

#endif

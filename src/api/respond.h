/* SPDX-License-Identifier: MIT */
/*
 * answer: headers every answer carries, and the access log's line.
 */
#ifndef API_RESPOND_H
#define API_RESPOND_H

#include "api/request.h"

/* X-Request-Id: the caller's if it is sane ([A-Za-z0-9._:-], 1..64), else a new one. */
void	request_id_choose(const struct http_exchange *, char out[REQUEST_ID_MAX + 1]);
/* RateLimit-*, after the limiter has spoken. */
void	respond_limits(struct http_exchange *, const struct limit_verdict *);
/* 200..: a whole JSON body. */
void	respond_json(struct http_exchange *, int status, const struct buf *);
/* One JSON line; err as the flow ended. */
void	access_log_write(const struct request *, const struct err *);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * cors_preflight: what a page in a browser may ask: its preflights, and with which keys. Which
 * pages may read our responses is http/'s (src/http/cors.c). On the worker's thread.
 */
#ifndef API_CORS_PREFLIGHT_H
#define API_CORS_PREFLIGHT_H

#include "api/request.h"

/* A browser asks, on a page's behalf, what the page may send (the Fetch Standard, CORS-preflight
 * request). */
bool	is_preflight(const struct http_exchange *);
/* The whole response, and the end of the exchange. Nobody is asked for a key, for the browser sends
 * none, and nothing is counted or woken. */
void	respond_preflight(struct http_exchange *, const struct api_context *);
/* False with ERR_FORBIDDEN for a service key that came with an Origin. The key has proved right by
 * then, so nobody learns of a key that is not theirs which kind it is. */
bool	caller_may_be_in_page(const struct request *, struct err *);

#endif

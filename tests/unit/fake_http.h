/* SPDX-License-Identifier: MIT */
/*
 * fake_http: an exchange that answers what the test put into it and keeps what it was given, in
 * place of http/ for the tests of api/.
 */
#ifndef TESTS_UNIT_FAKE_HTTP_H
#define TESTS_UNIT_FAKE_HTTP_H

#include "tenantgate/http.h"

struct http_exchange {
	/* The request, with the fields that it can have. */
	struct slice	method, path, request_id;
	struct slice	origin, asks_method;	/* Origin, Access-Control-Request-Method */
	bool		origin_is_listed;
	struct slice	rest;		/* of its body, which is there at once */
	/* The response. */
	int		status;
	char		type[64];
	char		headers[1024];	/* "Name: value\n" each */
	char		body[8192];
	unsigned	ended;		/* how often */
	http_body_fn	*watch;		/* http_watch_body()'s */
	void		*watch_arg;
	const struct err *too_large;	/* http_refuse_body()'s */
};

#endif

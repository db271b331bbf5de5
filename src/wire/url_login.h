/* SPDX-License-Identifier: MIT */
/*
 * url_login: escapes what a pasted password holds of a URL's delimiters. Both readers end
 * the login at its first '@'. libpq takes the rest of the password for a part of the host's name,
 * which would go to a resolver and into logs; libcurl 7.88 refuses such a URL, with no hint why.
 */
#ifndef TENANTGATE_WIRE_URL_LOGIN_H
#define TENANTGATE_WIRE_URL_LOGIN_H

#include "tenantgate/base/buf.h"

/* Appends the URL to `out`. In its login, which goes up to the last '@' before any of `ends`, the
 * characters @ / ? # are written as %XX. The buf holds a password then: url_buf_wipe() it. */
void	url_escape_login(struct buf *out, struct slice url, const char *ends);
void	url_buf_wipe(struct buf *);	/* overwrites, then frees */

#endif

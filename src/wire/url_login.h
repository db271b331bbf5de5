/* SPDX-License-Identifier: MIT */
/*
 * url_login: people paste passwords that hold a raw '@'. The readers of URLs that we borrow end
 * the login at its first '@', and would take the rest of a password for the host's name.
 */
#ifndef TENANTGATE_WIRE_URL_LOGIN_H
#define TENANTGATE_WIRE_URL_LOGIN_H

#include "tenantgate/base/buf.h"

/* Appends the URL; what of its login (up to the last '@' before any of `ends`) is a delimiter is
 * escaped. The buf holds a password then: url_buf_wipe() it. */
void	url_escape_login(struct buf *out, struct slice url, const char *ends);
void	url_buf_wipe(struct buf *);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * url: a URL with an authority (RFC 3986), scheme://[user[:password]@]host[:port][/path][?query],
 * of any scheme, taken apart by libcurl. Not for Postgres, whose parameters libpq reads: see
 * pg_url.h. No part of the URL goes into an error: it may hold a password. Any thread.
 */
#ifndef TENANTGATE_WIRE_URL_H
#define TENANTGATE_WIRE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

/* Texts are owned, NULL where the URL has none. Those marked are percent-decoded. */
struct url_parts {
	char		*scheme;	/* in lower case */
	char		*user;		/* decoded */
	char		*password;	/* decoded */
	char		*host;		/* decoded; an IPv6 address without its brackets */
	uint16_t	 port;		/* 0: none was given, or an empty one */
	char		*path;		/* as written; "/" when there is none */
	char		*query;		/* as written */
	char		*fragment;	/* as written */
};

/* False with ERR_INVALID_FIELD, and *out empty, when it is malformed: no host, blanks, a bad port,
 * a '%' without two hexadecimal digits, an escaped control character, an IPv6 zone; or when its
 * host is not ASCII. An unescaped '@' in the login is allowed. url_free() is for whatever came
 * out. */
bool	url_read(struct slice text, struct url_parts *out, struct err *);
/* Wipes the password. Idempotent. */
void	url_free(struct url_parts *);
/* A name that the DNS and certificates have in another form (IDNA, RFC 5890) is asked for in that:
 * libraries convert it each in a way of its own, and none of ours when it looks at a certificate.
 * The advice ends a sentence about the host. */
bool	url_host_is_ascii(const char *host);
#define URL_HOST_ADVICE "write it as the DNS has it, xn--... (`idn2 HOST` tells)"
/* Whether it must be kept out of logs. Of any URL, a Postgres one included, also one of which parts
 * are missing; in doubt true. */
bool	url_has_password(struct slice text);

#endif

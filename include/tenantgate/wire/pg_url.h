/* SPDX-License-Identifier: MIT */
/*
 * pg_url: a Postgres connection URI, postgresql://user:password@host[:port]/dbname[?name=value...],
 * read by libpq's own parser into a pg_target. Nothing comes from the environment, a service file
 * or a password file. No part of the URI but a parameter's name goes into an error or a log, for
 * the URI holds a password.
 *
 * Where the URI says nothing: port 5432, sslmode "prefer", dbname as the user. Any thread.
 */
#ifndef TENANTGATE_WIRE_PG_URL_H
#define TENANTGATE_WIRE_PG_URL_H

#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/wire/pg.h"

#define PG_PORT_DEFAULT 5432

enum pg_url_policy {
	PG_URL_STRICT,	/* our own configuration: what would have no effect is refused by name */
	PG_URL_LENIENT,	/* another's (Neon's API): such are dropped, their names logged */
};

/* Strings of *out live in the arena. False with ERR_BAD_REQUEST when it is malformed, names no host
 * or user, several hosts or a Unix socket. */
bool	pg_url_read(struct arena *, const char *url, enum pg_url_policy, struct pg_target *out,
	    struct err *);

#endif

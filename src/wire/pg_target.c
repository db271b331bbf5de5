/* SPDX-License-Identifier: MIT */
/*
 * pg_target: deep copies of a database's address and login, for whoever keeps one longer than a
 * call. The strings of a copy are owned, although the struct says const for those that borrow.
 */
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg.h"

static const char *
text_copy(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

/* NULL is a value of its own: "the default" is not the same as "". */
static bool
text_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
text_free(const char *text)
{
	free((char *)(uintptr_t)text);
}

void
pg_target_copy(struct pg_target *to, const struct pg_target *from)
{
	to->port = from->port;
	to->scram_iterations_max = from->scram_iterations_max;
	to->guard = from->guard;
	to->sslmode_inside = text_copy(from->sslmode_inside);
	to->host = text_copy(from->host);
	to->dbname = text_copy(from->dbname);
	to->user = text_copy(from->user);
	to->password = text_copy(from->password);
	to->sslmode = text_copy(from->sslmode);
	to->sslrootcert = text_copy(from->sslrootcert);
	to->channel_binding = text_copy(from->channel_binding);
	to->settings = text_copy(from->settings);
}

/* The password is compared too: a rotated one must make a new connection. */
bool
pg_target_same(const struct pg_target *a, const struct pg_target *b)
{
	return a->port == b->port && a->guard == b->guard &&
	    text_same(a->sslmode_inside, b->sslmode_inside) && text_same(a->host, b->host) &&
	    text_same(a->dbname, b->dbname) && text_same(a->user, b->user) &&
	    text_same(a->password, b->password) && text_same(a->sslmode, b->sslmode) &&
	    text_same(a->sslrootcert, b->sslrootcert) &&
	    text_same(a->channel_binding, b->channel_binding);
}

/* The password is overwritten before its memory is given back, so that it is in no core dump or
 * later allocation. */
void
pg_target_free(struct pg_target *t)
{
	if (t->password != NULL)
		bytes_wipe((char *)(uintptr_t)t->password, strlen(t->password));
	text_free(t->host);
	text_free(t->dbname);
	text_free(t->user);
	text_free(t->password);
	text_free(t->sslmode);
	text_free(t->sslmode_inside);
	text_free(t->sslrootcert);
	text_free(t->channel_binding);
	text_free(t->settings);
	memset(t, 0, sizeof(*t));
}

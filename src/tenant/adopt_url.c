/* SPDX-License-Identifier: MIT */
/*
 * adopt_url: a Postgres URL that came by the admin door: what it may say. Several hosts, a Unix
 * socket, hostaddr and a service are refused by pg_url_read(); where its host leads is looked at by
 * wire/pg_guard.c, at each login.
 */
#include <ctype.h>
#include <stdio.h>

#include "tenant/adopt.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_url.h"

#define URL_ARENA_MAX (64u << 10)
#define DIGEST_SHOWN  24 /* hex digits: 96 bits */

static bool
url_refuse(struct err *err, const char *what)
{
	err_set(err, ERR_INVALID_FIELD, "The Postgres URL %s", what);
	return false;
}

/* Names have no case; so that one database has one id, however its URL is written. */
static void
url_digest(const struct pg_target *p, char out[PROVIDER_ID_SIZE])
{
	char hex[SHA256_HEX_SIZE];
	struct buf b;

	buf_init(&b, 4096);
	for (const char *c = p->host; *c != '\0'; c++)
		buf_putc(&b, (char)tolower((unsigned char)*c));
	buf_printf(&b, "\n%u\n%s", (unsigned)p->port, p->dbname);
	sha256_hex(buf_view(&b), hex);
	snprintf(out, PROVIDER_ID_SIZE, "url-%.*s", DIGEST_SHOWN, hex);
	buf_free(&b);
}

/* A file on this machine is not the caller's to name. */
static bool
url_is_usable(const struct pg_target *p, struct err *err)
{
	const struct tenant *t = NULL;

	if (p->sslrootcert != NULL)
		return url_refuse(err,
		    "must not have sslrootcert: put the certificate into tenant_ca_file.");
	if (p->password == NULL || p->password[0] == '\0')
		return url_refuse(err, "has no password: write USER:PASSWORD@ before the host.");
	if (strlen(p->password) >= sizeof(t->password) || strlen(p->user) >= sizeof(t->user) ||
	    strlen(p->dbname) >= sizeof(t->dbname))
		return url_refuse(err, "has a name or password that is too long; use a shorter.");
	if (!name_host(slice_str(p->host)))
		return url_refuse(err, "has a host that is no name or address; correct it.");
	return true;
}

static void
url_fill(struct tenant_row *row, const struct pg_target *p)
{
	struct tenant *t = &row->tenant;

	url_digest(p, row->project_id);
	t->provider = PROVIDER_URL;
	t->port = p->port;
	snprintf(t->host, sizeof(t->host), "%s", p->host);
	snprintf(t->dbname, sizeof(t->dbname), "%s", p->dbname);
	snprintf(t->user, sizeof(t->user), "%s", p->user);
	snprintf(t->password, sizeof(t->password), "%s", p->password);
	snprintf(t->sslmode, sizeof(t->sslmode), "%s", p->sslmode);
	snprintf(t->channel_binding, sizeof(t->channel_binding), "%s",
	    p->channel_binding != NULL ? p->channel_binding : "");
}

bool
adopt_url_read(const char *url, struct tenant_row *row, struct err *err)
{
	struct arena *arena = arena_new(URL_ARENA_MAX);
	struct pg_target target;
	bool fine = pg_url_read(arena, url, PG_URL_STRICT, &target, err);

	if (!fine)
		err->code = ERR_INVALID_FIELD;
	fine = fine && url_is_usable(&target, err);
	if (fine)
		url_fill(row, &target);
	if (target.password != NULL)
		bytes_wipe((char *)(uintptr_t)target.password, strlen(target.password));
	arena_free(arena);
	return fine;
}

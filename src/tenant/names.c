/* SPDX-License-Identifier: MIT */
/*
 * names: of projects, roles and databases; and what is accepted as a name from outside. ASCII by
 * hand, for <ctype.h> depends on the locale.
 */
#include "tenant/names.h"

#include <stdio.h>

#include "tenantgate/base/digest.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/mutation.h"

#define NAME_DIGEST 24 /* hex digits: 96 bits */

/* 96 bits of SHA-256: nobody can choose an id whose database is another tenant's. Environment and
 * tenant are kept apart by a byte that neither may hold. */
static void
name_digest(char out[NAME_DIGEST + 1], const char *environment, const char *tenant)
{
	char hex[SHA256_HEX_SIZE];
	struct buf b;

	buf_init(&b, 4096);
	buf_puts(&b, environment);
	buf_putc(&b, '\n');
	buf_puts(&b, tenant);
	sha256_hex(buf_view(&b), hex);
	snprintf(out, NAME_DIGEST + 1, "%.*s", NAME_DIGEST, hex);
	buf_free(&b);
}

void
name_project(char out[PROJECT_NAME_SIZE], const char *environment, const char *tenant)
{
	char stem[PROJECT_NAME_SIZE], digest[NAME_DIGEST + 1];

	tenant = mutated(MUTATION_PROJECT_NAME, tenant);
	name_project_stem(stem, environment, tenant);
	name_digest(digest, environment, tenant);
	snprintf(out, PROJECT_NAME_SIZE, "%.*s-%s", PROJECT_NAME_SIZE - 1 - NAME_DIGEST - 1, stem,
	    digest);
}

void
name_project_old(char out[PROJECT_NAME_SIZE], const char *environment, const char *tenant)
{
	int n = snprintf(out, PROJECT_NAME_SIZE, "tg-%s-%s", environment, tenant);

	if (n < 0 || n >= PROJECT_NAME_SIZE)
		out[0] = '\0';
}

/* Cut within the tenant's id, which is ASCII: an environment is far shorter. */
void
name_project_stem(char out[PROJECT_NAME_SIZE], const char *environment, const char *tenant)
{
	(void)!snprintf(out, PROJECT_NAME_SIZE - NAME_DIGEST - 1, "tg-%s-%s", environment, tenant);
}

bool
name_is_given(const char *name)
{
	size_t len = strlen(name);
	const char *digest = name + len - NAME_DIGEST;

	return len > 3 + 1 + NAME_DIGEST && strncmp(name, "tg-", 3) == 0 && digest[-1] == '-' &&
	    strspn(digest, "0123456789abcdef") == NAME_DIGEST;
}

/* A digest, for a tenant id may be longer than a name in Postgres and has other characters. */
void
name_cluster(char out[CLUSTER_NAME_SIZE], const char *environment, const char *tenant)
{
	char digest[NAME_DIGEST + 1];

	name_digest(digest, environment, mutated(MUTATION_CLUSTER_NAME, tenant));
	snprintf(out, CLUSTER_NAME_SIZE, "tg_%s", digest);
}

static bool
alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits and the characters of `others`; 1 to max bytes. */
static bool
all_of(struct slice s, size_t max, const char *others)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (!alphanumeric(s.p[i]) && (s.p[i] == '\0' || strchr(others, s.p[i]) == NULL))
			return false;
	}
	return s.len > 0 && s.len <= max;
}

bool
name_provider_id(struct slice s)
{
	return all_of(s, PROVIDER_ID_SIZE - 1, "-_");
}

bool
name_tenant(struct slice s)
{
	return all_of(s, TENANT_ID_MAX, "._:@-");
}

bool
name_host(struct slice s)
{
	return all_of(s, DNS_NAME_MAX, ".-:_");
}

bool
name_url_encode(struct buf *out, struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (alphanumeric(s.p[i]) || strchr("-._~", s.p[i]) != NULL)
			buf_putc(out, s.p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)s.p[i]);
	}
	return !out->failed;
}

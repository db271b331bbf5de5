/* SPDX-License-Identifier: MIT */
/*
 * fuzz_url: a URL of ours. What is read has a host and no byte that ends a line or a C string, and
 * is said to have a password wherever it has one; what is not read leaves nothing behind, and says
 * why. Read twice it is the same.
 *
 * sources: src/wire/url.c src/base/buf.c src/base/err.c src/base/secret.c src/base/utf8.c
 * libs: -lcurl -lcrypto
 */
#include <string.h>

#include "tenantgate/wire/url.h"
#include "tests/fuzz/fuzz_check.h"

static void
part_is_clean(const char *part)
{
	for (; part != NULL && *part != '\0'; part++)
		fuzz_check((unsigned char)*part >= ' ' && *part != 0x7f);
}

static bool
part_is_same(const char *a, const char *b)
{
	return a == NULL ? b == NULL : b != NULL && strcmp(a, b) == 0;
}

static void
url_is_consistent(struct slice text, const struct url_parts *u)
{
	struct url_parts again;
	struct err err = { 0 };

	fuzz_check(u->scheme != NULL && u->scheme[0] != '\0' && u->host != NULL &&
	    u->host[0] != '\0' && u->path != NULL && u->path[0] == '/');
	part_is_clean(u->scheme);
	part_is_clean(u->user);
	part_is_clean(u->password);
	part_is_clean(u->host);
	part_is_clean(u->path);
	part_is_clean(u->query);
	part_is_clean(u->fragment);
	fuzz_check(u->password == NULL || u->password[0] == '\0' || url_has_password(text));
	fuzz_check(url_read(text, &again, &err));
	fuzz_check(part_is_same(u->host, again.host) && part_is_same(u->user, again.user) &&
	    part_is_same(u->password, again.password) && part_is_same(u->path, again.path) &&
	    part_is_same(u->query, again.query) && u->port == again.port);
	url_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	/* In memory of its own size: ASan sees a read past it. */
	char *copy = malloc(n > 0 ? n : 1);
	struct slice text = slice_of(copy, n);
	struct url_parts u;
	struct err err = { 0 };

	if (n > 0)
		memcpy(copy, bytes, n);
	if (url_read(text, &u, &err)) {
		fuzz_check(!err_is(&err));
		url_is_consistent(text, &u);
	} else {
		fuzz_check(err.code == ERR_INVALID_FIELD && err.detail[0] != '\0');
		fuzz_check(u.scheme == NULL && u.user == NULL && u.password == NULL &&
		    u.host == NULL && u.path == NULL && u.query == NULL && u.fragment == NULL);
		(void)url_has_password(text);
	}
	url_free(&u);
	free(copy);
	return 0;
}

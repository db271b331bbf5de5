/* SPDX-License-Identifier: MIT */
/*
 * admin_host: see the header.
 */
#include "admin/admin_host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#include "tenantgate/admin.h"

#define HOST_NAME_MAX_BYTES 253 /* RFC 1035, 2.3.4, as a text */
#define NAME_SEPARATORS	    ", \t"

/* Without ":port", and an IPv6 address without its brackets. */
static struct slice
host_without_port(struct slice host)
{
	const char *end;

	if (host.len > 0 && host.p[0] == '[') {
		end = memchr(host.p, ']', host.len);
		return end == NULL ? slice_of(host.p, 0)
				   : slice_of(host.p + 1, (size_t)(end - host.p - 1));
	}
	end = memchr(host.p, ':', host.len);
	return end == NULL ? host : slice_of(host.p, (size_t)(end - host.p));
}

static bool
is_numeric_address(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1;
}

static bool
list_has_name(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; *p != '\0';) {
		size_t n = strcspn(p, NAME_SEPARATORS);

		if (n == len && strncasecmp(p, name, n) == 0)
			return true;
		p += n + strspn(p + n, NAME_SEPARATORS);
	}
	return false;
}

bool
admin_host_allowed(struct slice field, const char *names)
{
	char text[HOST_NAME_MAX_BYTES + 1];
	struct slice host;

	if (field.p == NULL)
		return true;
	host = host_without_port(field);
	if (host.len == 0 || host.len > HOST_NAME_MAX_BYTES ||
	    memchr(host.p, '\0', host.len) != NULL)
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	return is_numeric_address(text) || strcasecmp(text, "localhost") == 0 ||
	    list_has_name(names, text);
}

static bool
is_host_byte(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

bool
admin_hosts_are_valid(const char *list, struct err *err)
{
	for (const char *p = list; *p != '\0'; p++)
		if (!is_host_byte(*p) && strchr(NAME_SEPARATORS, *p) == NULL)
			err_set(err, ERR_INVALID_FIELD,
			    "A host's name has letters, digits, '-' and '.' alone, without a port; "
			    "put a comma between two.");
	return !err_is(err);
}

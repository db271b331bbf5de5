/* SPDX-License-Identifier: MIT */
/*
 * dns_hosts: /etc/hosts as a map of names. A file of lines `address name [name...] # comment`
 * (hosts(5)); lines that are not that are passed over. localhost is there whatever the file says
 * (RFC 6761, 6.3).
 *
 * Our own reader, for evdns' (evdns_base_load_hosts) answers only evdns_getaddrinfo(), and does not
 * notice a change of the file.
 */
#include "wire/dns_hosts.h"

#include <sys/stat.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/map.h"

#define HOSTS_LINE_MAX	1024 /* bytes */
#define HOSTS_NAMES_MAX 4096 /* of more, the least recently used are forgotten */

struct dns_hosts {
	const char *path;	 /* borrowed */
	struct map *names;	 /* name -> struct dns_answer, owned */
	struct timespec changed; /* mtime of what was read */
};

/* Written again by inet_ntop(): "0:0::1" and "::1" are one address, in one form. */
bool
dns_add_numeric(struct dns_answer *a, const char *text)
{
	unsigned char raw[16];
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	if (a->count == DNS_ADDRS_MAX || inet_pton(family, text, raw) != 1)
		return false;
	if (inet_ntop(family, raw, a->addr[a->count], sizeof(a->addr[0])) == NULL)
		return false;
	a->count++;
	return true;
}

/* A name that stands in several lines has all their addresses (IPv4 and IPv6, mostly). */
static void
hosts_add(struct dns_hosts *h, char *name, const char *address)
{
	struct dns_answer *a;

	for (char *c = name; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	a = map_get(h->names, slice_str(name));
	if (a != NULL) {
		(void)dns_add_numeric(a, address);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	if (!dns_add_numeric(a, address) || !map_put(h->names, slice_str(name), a))
		free(a);
}

static void
hosts_line(struct dns_hosts *h, char *line)
{
	static const char blank[] = " \t\r\n";
	char *save = NULL;
	char *address;
	char *name;

	line[strcspn(line, "#")] = '\0';
	address = strtok_r(line, blank, &save);
	if (address == NULL)
		return;
	while ((name = strtok_r(NULL, blank, &save)) != NULL)
		hosts_add(h, name, address);
}

static void
hosts_read(struct dns_hosts *h)
{
	char line[HOSTS_LINE_MAX];
	FILE *file = fopen(h->path, "re");

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL)
		hosts_line(h, line);
	(void)fclose(file);
}

/* One stat() for each lookup: a container's runtime may write the file after we have started, or
 * when another container comes. A file that cannot be read counts as empty. */
static void
hosts_refresh(struct dns_hosts *h)
{
	struct stat st = { 0 };
	char localhost[] = "localhost";

	(void)stat(h->path, &st);
	if (h->names != NULL && st.st_mtim.tv_sec == h->changed.tv_sec &&
	    st.st_mtim.tv_nsec == h->changed.tv_nsec)
		return;
	h->changed = st.st_mtim;
	map_free(h->names);
	h->names = map_new(HOSTS_NAMES_MAX, free);
	hosts_read(h);
	if (map_get(h->names, slice_str(localhost)) == NULL)
		hosts_add(h, localhost, "127.0.0.1");
}

struct dns_hosts *
dns_hosts_new(const char *path)
{
	struct dns_hosts *h = xcalloc(1, sizeof(*h));

	h->path = path;
	hosts_refresh(h);
	return h;
}

void
dns_hosts_free(struct dns_hosts *h)
{
	if (h == NULL)
		return;
	map_free(h->names);
	free(h);
}

bool
dns_hosts_find(struct dns_hosts *h, const char *name, struct dns_answer *out)
{
	const struct dns_answer *a;

	hosts_refresh(h);
	a = map_get(h->names, slice_str(name));
	if (a == NULL)
		return false;
	*out = *a;
	return true;
}

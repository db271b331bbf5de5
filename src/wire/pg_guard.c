/* SPDX-License-Identifier: MIT */
/*
 * pg_guard: where an address that came from outside may lead. It is looked at when each connection
 * is made, by the very addresses that libpq is given then (hostaddr): a name that was public when
 * it was written down, and is a private one's later (DNS rebinding), leads nowhere. Every address
 * of the name counts, for libpq goes from one to the next by itself.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/pg_login.h"

enum where { OUTSIDE, INSIDE, FORBIDDEN };

static enum where
guard_look(const struct network_list *guard, const char *text)
{
	struct in6_addr address;

	if (!address_read(slice_str(text), AF_UNSPEC, &address))
		return FORBIDDEN;
	if (network_list_has(guard, &address))
		return INSIDE;
	return address_is_public(&address) ? OUTSIDE : FORBIDDEN;
}

/* The two change places, for a copy's texts are freed with it. */
static void
guard_go_inside(struct pg_target *t)
{
	const char *outside = t->sslmode;

	t->sslmode = t->sslmode_inside;
	t->sslmode_inside = outside;
}

bool
pg_guard_admits(struct pg_target *t, const struct dns_answer *addresses, char *why, size_t size)
{
	unsigned outside = 0, count = addresses->count > 0 ? addresses->count : 1;

	if (t->guard == NULL)
		return true;
	for (unsigned i = 0; i < count; i++) {
		const char *text = addresses->count > 0 ? addresses->addr[i] : t->host;
		enum where where = guard_look(t->guard, text);

		if (where == FORBIDDEN) {
			snprintf(why, size,
			    "the address %.45s is neither public nor in allowed_networks", text);
			return false;
		}
		outside += where == OUTSIDE;
	}
	if (outside == 0)
		guard_go_inside(t);
	return true;
}

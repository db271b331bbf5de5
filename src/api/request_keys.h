/* SPDX-License-Identifier: MIT */
/*
 * request_keys: what the limits of requests are called in Redis. Private to api/.
 */
#ifndef API_REQUEST_KEYS_H
#define API_REQUEST_KEYS_H

#include <stdbool.h>
#include <stddef.h>

struct limit_name {
	const char *what, *id; /* "tenant", "key", "user" ...; whose */
	const char *user;      /* within the tenant; "": none */
};

/* Its length. The environment is part of the key, for a Redis may be shared by several: all of it,
 * for two may begin alike. In a cluster its beginning is the hash tag, for all keys must be in one
 * slot. No id has a slash, so no two tenants' users have one key. */
size_t	limit_key_write(char *out, size_t size, const char *environment, bool is_cluster,
	    struct limit_name);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * origins: a list of origins as browsers write them (RFC 6454 6.2, the URL Standard 4.5), by
 * commas. Whether one can be read is http_origins_are_valid()'s to say. Pure; any thread.
 */
#ifndef HTTP_ORIGINS_H
#define HTTP_ORIGINS_H

#include "tenantgate/base/slice.h"

/* The item that is equal to the origin, byte for byte; p NULL when there is none. Of the list,
 * which may be NULL. */
struct slice	origins_find(const char *list, struct slice origin);

#endif

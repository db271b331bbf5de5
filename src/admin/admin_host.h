/* SPDX-License-Identifier: MIT */
/*
 * admin_host: whether a request came from a page. A browser sends Origin with whatever a page sends
 * elsewhere; and a page whose name was made to mean this address (DNS rebinding) has that name in
 * Host, where operators have an address, localhost, or a name that the configuration knows. Pure.
 */
#ifndef ADMIN_HOST_H
#define ADMIN_HOST_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"

/* host: the field, with its port or without; p NULL when absent, which no HTTP/1.1 request is.
 * names: by commas or blanks, in any case of letters. */
bool admin_host_allowed(struct slice host, const char *names);

#endif

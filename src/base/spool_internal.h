/* SPDX-License-Identifier: MIT */
/* spool_internal: what spool.c and spool_watch.c share. */
#ifndef TENANTGATE_BASE_SPOOL_INTERNAL_H
#define TENANTGATE_BASE_SPOOL_INTERNAL_H

#include "tenantgate/base/err.h"

/* Logs what could not be done, and why (errno). Always false with err set, to be returned. */
bool	spool_failed(const char *what, struct err *);

#endif

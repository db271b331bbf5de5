/* SPDX-License-Identifier: MIT */
/*
 * pem: whether a file holds certificates (RFC 7468), before a library is told to trust it. It
 * reads a file, so it is for the start and for checks, not for a loop. Any thread.
 */
#ifndef TENANTGATE_WIRE_PEM_H
#define TENANTGATE_WIRE_PEM_H

#include <stdbool.h>
#include <stdio.h>

#include "tenantgate/base/err.h"

/* True when the process may read the file and it has a certificate, all that are in it being well
 * formed. False with err set: ERR_INVALID_FIELD, and the path in it. */
bool	pem_has_certificates(const char *path, struct err *);
/* A regular file, and nothing that would be waited for. NULL with errno; the caller's to close. */
FILE	*pem_open(const char *path);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * health_report: the body of a response of /readyz.
 */
#ifndef API_HEALTH_REPORT_H
#define API_HEALTH_REPORT_H

#include "tenantgate/api.h"

#define HEALTH_REPORT_MAX (64u << 10) /* bytes: the ceiling of the buffer */

/* Adds a JSON object; true when traffic is to be sent here. On the context's worker. */
bool	health_report(const struct api_context *, struct buf *);

#endif

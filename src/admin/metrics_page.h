/* SPDX-License-Identifier: MIT */
/*
 * metrics_page: the families of GET /metrics. All of it reads what the rooms have counted anyway,
 * on any thread: a helper writes the page, so that no turn of a loop takes longer because somebody
 * looks.
 */
#ifndef ADMIN_METRICS_PAGE_H
#define ADMIN_METRICS_PAGE_H

#include "tenantgate/admin.h"
#include "tenantgate/base/metric.h"
#include "tenantgate/wire/tls_server.h"

void	metrics_put_process(struct metric_page *, const struct admin_context *);
void	metrics_put_flows(struct metric_page *, const struct admin_context *);
void	metrics_put_scarce(struct metric_page *, const struct admin_context *);
void	metrics_put_meters(struct metric_page *, const struct admin_context *);
void	metrics_put_breakers(struct metric_page *, const struct admin_context *);
/* By listener; either may be NULL. */
void	metrics_put_certificates(struct metric_page *, const struct tls_server *public_tls,
	    const struct tls_server *admin_tls);
void	metrics_put_tenants(struct metric_page *, const struct admin_context *);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * request_meters: what the handlers count of requests, besides what the engine counts of all flows:
 * the decisions of limits and quotas, clients that left, what tenants took in all.
 */
#ifndef TENANTGATE_API_REQUEST_METERS_H
#define TENANTGATE_API_REQUEST_METERS_H

#include "tenantgate/loop/meter.h"

extern const struct meter_family ratelimit_decisions;	/* limit, decision, mode */
extern const struct meter_family client_aborts;		/* route */
extern const struct meter_family usage_tokens;		/* type */
extern const struct meter_family usage_documents;
extern const struct meter_family usage_document_bytes;

/* Steps of requests in which others are waited for: flow_stats_away(). */
extern const char *const request_away_steps[];

#endif

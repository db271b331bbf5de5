/* SPDX-License-Identifier: MIT */
/*
 * names: what a tenant's things are called elsewhere. Derived from environment and tenant id alone,
 * so that they are found again whatever was lost. To change a derivation is to lose every database
 * that has not been saved yet. Pure; any thread.
 */
#ifndef TENANT_NAMES_H
#define TENANT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/wire/dns.h"

#define PROJECT_NAME_SIZE 257 /* Neon's 256, and the NUL */
#define CLUSTER_NAME_SIZE 28  /* "tg_", 24 hex digits, and the NUL; Postgres has room for 63 */
#define PROVIDER_ID_SIZE  64  /* of what Neon calls a project, branch or endpoint */
#define REGION_SIZE	  65  /* of a provider's region, and the NUL */
#define ENVIRONMENT_MAX	  100 /* bytes of the key `environment` */

/*
 * "tg-<env>-<tenant>-<24 hex digits>": the digits are a digest of environment and tenant, so that
 * no two of such pairs have one name ("prod" with "eu-acme", "prod-eu" with "acme"); what is before
 * them is for people, and cut where the whole would be too long.
 */
void name_project(char out[PROJECT_NAME_SIZE], const char *environment, const char *tenant);
/* What the first releases called it, "tg-<env>-<tenant>", where two such pairs may have one name:
 * looked for, never given. "" when it would have been too long. */
void name_project_old(char out[PROJECT_NAME_SIZE], const char *environment, const char *tenant);
/* Whether tenantgate gives such names, of whatever environment and tenant: "tg-...-" and the 24 hex
 * digits. */
bool name_is_given(const char *project_name);
/* The longest text that both begin with. */
void name_project_stem(char out[PROJECT_NAME_SIZE], const char *environment, const char *tenant);
/* Role and database on a cluster of one's own: only [a-z0-9_], so it needs no quoting. */
void name_cluster(char out[CLUSTER_NAME_SIZE], const char *environment, const char *tenant);
/* An id that the provider gave: [A-Za-z0-9_-], short enough to keep, safe in a URL's path. Without
 * the check a "../" in it would make another request of ours. */
bool name_provider_id(struct slice);
/* As auth_tenant_valid() has it: 1 to TENANT_ID_MAX bytes of [A-Za-z0-9._:@-]. */
bool name_tenant(struct slice);
/* A host name or address. Never a path: libpq takes a host with a '/' for a Unix socket's
 * folder. */
bool name_host(struct slice);
/* Appends s with all but RFC 3986's unreserved characters (section 2.3) escaped. False when out is
 * full. */
bool name_url_encode(struct buf *, struct slice);

#endif

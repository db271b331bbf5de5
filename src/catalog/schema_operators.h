/* SPDX-License-Identifier: MIT */
/*
 * schema_operators: scripts of the catalog's schema that are in a file of their own; the table of
 * all is in catalog_schema.c.
 */
#ifndef CATALOG_SCHEMA_OPERATORS_H
#define CATALOG_SCHEMA_OPERATORS_H

extern const char api_keys_limited[];
extern const char tenants_wishes[];
extern const char tenants_ends[];
extern const char tenant_usage[];
extern const char adoptions[];
extern const char tenants_listed[];
extern const char tenants_addressed[];

#endif

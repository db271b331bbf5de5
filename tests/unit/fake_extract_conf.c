/* SPDX-License-Identifier: MIT */
/*
 * fake_extract_conf: extract_conf_init() and index_conf_init() for tests that link no retrieval/,
 * and usage_conf_init() likewise.
 */
#include <string.h>

#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/indexing.h"
#include "tenantgate/usage.h"

void
extract_conf_init(struct extract_conf *c)
{
	memset(c, 0, sizeof(*c));
	c->program = "/installed/tenantgate-extract";
}

void
index_conf_init(struct index_conf *c)
{
	memset(c, 0, sizeof(*c));
}

void
usage_conf_init(struct usage_conf *c)
{
	memset(c, 0, sizeof(*c));
}

/* SPDX-License-Identifier: MIT */
/*
 * tenant_checks: what the live tests of provisioning look at afterwards. They fail the test that
 * calls them.
 */
#ifndef TESTS_LIVE_TENANT_CHECKS_H
#define TESTS_LIVE_TENANT_CHECKS_H

#include "tenant_fixture.h"

/* How many projects the stand-in has for this tenant. */
long projects_of(struct tenant_fixture *, const char *id);
void row_is_ready(struct tenant_fixture *, const char *id);
/* As a client would: again after a 502 or 503, when Retry-After is over. How many contacts it
 * took. */
unsigned contacts_until_ready(struct tenant_fixture *, const char *id);

#endif

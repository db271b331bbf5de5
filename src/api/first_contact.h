/* SPDX-License-Identifier: MIT */
/*
 * first_contact: a tenant that nobody knows comes with a token of its identity provider.
 */
#ifndef API_FIRST_CONTACT_H
#define API_FIRST_CONTACT_H

#include "api/request.h"

/* Whether the tenant's database would be begun by this request, on the word of such a token. */
bool	first_contact_is_due(const struct request *);
/* Begins it, within the rates, and waits as tenant_provision(). Fails as that, and with
 * ERR_PROVISIONING (retry_after) when tokens have begun as many as they may. */
enum flow_rc	first_contact(struct flow *, struct request *) __attribute__((warn_unused_result));

#endif

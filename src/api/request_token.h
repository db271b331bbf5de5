/* SPDX-License-Identifier: MIT */
/*
 * request_token: what a token alone is asked for, beyond what every caller is. The request's
 * worker.
 */
#ifndef API_REQUEST_TOKEN_H
#define API_REQUEST_TOKEN_H

#include "api/request.h"

/* The rest of the step request_tenant(), when the tenant's record is there: fails as
 * request_refuse() when the tenant's tokens were revoked since this one was made, or it is one of a
 * tenant of that id before. A record that is older than the token is looked up once more. */
enum flow_rc	request_token(struct flow *) __attribute__((warn_unused_result));

#endif

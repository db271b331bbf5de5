/* SPDX-License-Identifier: MIT */
/*
 * token_check: a request's token, as auth_check() sees it. Pure but for the clock; any thread.
 */
#ifndef AUTH_TOKEN_CHECK_H
#define AUTH_TOKEN_CHECK_H

#include "tenantgate/auth/token.h"

/* False when the Authorization value is no token of ours by its form, and may be another
 * credential. Else *out, zeroed before, says who asks: nobody, perhaps with the cause. */
bool token_check(const struct token_signer *, struct slice authorization, struct caller *out);

#endif

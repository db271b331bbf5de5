/* SPDX-License-Identifier: MIT */
/*
 * subject_id: see jwt_claims.h.
 */
#include "auth/jwt_claims.h"

static bool
stands_for_itself(char c)
{
	return c != ':' && auth_tenant_valid(slice_of(&c, 1));
}

bool
subject_id_write(struct slice subject, char out[USER_ID_MAX + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < subject.len; i++) {
		unsigned char c = (unsigned char)subject.p[i];
		bool plain = stands_for_itself(subject.p[i]);

		if (n + (plain ? 1 : 3) > USER_ID_MAX)
			return false;
		out[n++] = plain ? subject.p[i] : ':';
		if (!plain) {
			out[n++] = digits[c >> 4];
			out[n++] = digits[c & 15];
		}
	}
	out[n] = '\0';
	return n > 0;
}

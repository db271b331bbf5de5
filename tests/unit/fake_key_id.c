/* SPDX-License-Identifier: MIT */
/*
 * fake_key_id: which ids a key may have, for tests that do not link the statements beside it.
 */
#include <ctype.h>

#include "tenantgate/auth/key_catalog.h"

bool
key_id_valid(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!isalnum((unsigned char)id.p[i]))
			return false;
	return id.len == KEY_ID_LEN;
}

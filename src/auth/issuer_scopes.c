/* SPDX-License-Identifier: MIT */
/*
 * issuer_scopes: see issuer_set.h.
 */
#include "auth/issuer_set.h"
#include "tenantgate/auth/token.h"

#define SCOPES_TEXT_MAX 256 /* bytes, without `own` */

bool
issuer_scopes_read(const char *text, unsigned *scopes, bool *has_own_only, struct err *err)
{
	const char *between = " ,\t";
	struct buf names;
	bool fine;

	*has_own_only = false;
	buf_init(&names, SCOPES_TEXT_MAX);
	for (text += strspn(text, between); *text != '\0'; text += strspn(text, between)) {
		struct slice name = slice_of(text, strcspn(text, between));

		if (slice_is(name, "own"))
			*has_own_only = true;
		else if (buf_slice(&names, name))
			(void)buf_putc(&names, ',');
		text += name.len;
	}
	if (names.failed)
		err_set(err, ERR_INVALID_FIELD, "The list of scopes is too long; name each once.");
	fine = !names.failed && key_scopes_parse(buf_view(&names), scopes, err);
	buf_free(&names);
	if (fine &&
	    !token_scopes_agree(
		&(struct token_claims){ .scopes = *scopes, .has_own_only = *has_own_only }))
		err_set(err, ERR_INVALID_FIELD,
		    "Either own or sql: the first is for a user's own documents, the second is "
		    "for all that is in the database.");
	return !err_is(err);
}

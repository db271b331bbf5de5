/* SPDX-License-Identifier: MIT */
/* fake_web: see the header. */
#include "fake_web.h"

#include <assert.h>

fake_web_fn *fake_web_plays;

enum flow_rc
web_fetch(struct flow *f, struct web *w, const struct web_request *r, struct web_response *out)
{
	(void)w;
	assert(fake_web_plays != NULL);
	return fake_web_plays(f, r, out);
}

void
web_response_free(struct web_response *r)
{
	buf_free(&r->body);
}

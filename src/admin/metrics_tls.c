/* SPDX-License-Identifier: MIT */
/*
 * metrics_tls: until when the listeners' certificates are valid. What handshakes come to is counted
 * by http/.
 */
#include <string.h>

#include "admin/metrics_page.h"

#define EXPIRY "tenantgate_tls_certificate_expiry_timestamp_seconds"

/* A file may be listed twice; a series may not. */
static bool
is_put_already(const struct tls_server *s, unsigned i)
{
	const char *file = tls_server_certificate(s, i)->file;

	while (i-- > 0)
		if (strcmp(tls_server_certificate(s, i)->file, file) == 0)
			return true;
	return false;
}

static void
put_certificates(struct metric_page *page, const char *listener, const struct tls_server *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < tls_server_certificates(s); i++) {
		const struct tls_certificate *c = tls_server_certificate(s, i);
		struct metric_label labels[] = {
			{ "listener", slice_str(listener) },
			{ "name", slice_str(c->name) },
			{ "file", slice_str(c->file) },
		};

		if (!is_put_already(s, i))
			metric_sample(page, EXPIRY, labels, 3, (double)c->not_after);
	}
}

void
metrics_put_certificates(struct metric_page *page, const struct tls_server *public_tls,
    const struct tls_server *admin_tls)
{
	metric_family(page, EXPIRY, METRIC_GAUGE,
	    "When a certificate that clients are shown is over, in seconds since 1970.");
	put_certificates(page, "public", public_tls);
	put_certificates(page, "admin", admin_tls);
}

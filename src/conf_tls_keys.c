/* SPDX-License-Identifier: MIT */
/*
 * conf_tls_keys: the keys of [tenantgate] of TLS at what is listened on.
 */
#define CONF_STRUCT struct conf
#include "conf_table.h"

static const struct conf_word versions[] = {
	{ "1.2", TLS_VERSION_1_2 },
	{ "1.3", TLS_VERSION_1_3 },
	{ NULL, 0 },
};

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_tls_keys[] = {
	GROUP("TLS"),
	STRING("tls_certificate", tls.certificates, "", CONF_EMPTY_ALLOWED,
	    "PEM files by commas, or folders of them; the first is the default. Empty: no TLS."),
	STRING("tls_certificate_key", tls.keys, "", CONF_EMPTY_ALLOWED,
	    "Their private keys, in the same order; empty: in the same file, or beside it (.key)."),
	WORD("tls_min_version", tls.version_min, "1.2", versions,
	    "The oldest version that clients may speak: 1.2 or 1.3."),
	STRING("tls_ciphers", tls.ciphers, TLS_CIPHERS_DEFAULT, CONF_EMPTY_REFUSED,
	    "Ciphers of TLS 1.2, as OpenSSL names them."),
	DURATION("tls_session_timeout", tls.ticket_period_us, "1h", 0, 7 * DAYS,
	    "How long a session may be resumed; tickets' keys change as often. 0: never."),
	DURATION("tls_handshake_timeout", http.tls_handshake_timeout_us, "10s", 10 * MS, 1 * HOURS,
	    "How long a client may take for its handshake."),
	SWITCH("health_tls", tls.health, "off",
	    "The health listener speaks TLS, too, with the same certificates."),
	STRING("admin_tls_certificate", tls.admin_certificates, "", CONF_EMPTY_ALLOWED,
	    "Certificate of the admin listener, as tls_certificate has them. Empty: no TLS there."),
	STRING("admin_tls_certificate_key", tls.admin_keys, "", CONF_EMPTY_ALLOWED,
	    "Its private key, as tls_certificate_key."),
	STRING("admin_tls_client_ca", tls.admin_client_ca, "", CONF_EMPTY_ALLOWED,
	    "PEM file of who signs operators' certificates, which are required then."),
	STRING("admin_tls_client_names", tls.admin_client_names, "", CONF_EMPTY_ALLOWED,
	    "Names of which one is in such a certificate (DNS, URI, e-mail; else CN); * for any."),
};
/* clang-format on */

const unsigned conf_tls_keys_count = sizeof(conf_tls_keys) / sizeof(conf_tls_keys[0]);

/* SPDX-License-Identifier: MIT */
/*
 * conf_process_keys: the first of the tables of the keys of [tenantgate] (conf_keys.c): what is
 * listened on, the process itself, its traces.
 */
#define CONF_STRUCT struct conf
#include <syslog.h>

#include "conf_table.h"

static const struct conf_word log_levels[] = {
	{ "error", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_process_keys[] = {
	GROUP("Listening"),
	RESTART(STRING, "listen_addr", http.listen_addr, "127.0.0.1", CONF_EMPTY_REFUSED,
	    "Numeric address to listen on; * for all."),
	RESTART(NUMBER, "listen_port", http.listen_port, "8080", 0, 65535,
	    "TCP port; 0 takes a free one, which the log names."),
	NUMBER("max_client_conn", http.max_client_conn, "10000", 1, 1000000,
	    "Client connections in all."),
	RESTART(NUMBER, "max_client_conn_per_ip", http.max_client_conn_per_ip, "0", 0, 1000000,
	    "Client connections from one address; 0 for no such limit."),
	RESTART(STRING, "trusted_proxies", http.trusted_proxies, "", CONF_EMPTY_IS_NULL,
	    "Addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is believed."),
	RESTART(SWITCH, "proxy_protocol", http.proxy_protocol, "off",
	    "Each connection is of trusted_proxies, and begins with a PROXY header (v1 or v2)."),
	RESTART(STRING, "health_listen_addr", health_listen_addr, "127.0.0.1", CONF_EMPTY_REFUSED,
	    "Numeric address of a second listener, for /healthz and /readyz alone; * for all."),
	RESTART(NUMBER, "health_listen_port", health_listen_port, "0", 0, 65535,
	    "Its TCP port; 0 for none. It tells reasons and figures: keep strangers away."),
	RESTART(STRING, "admin_listen_addr", admin_listen_addr, "127.0.0.1", CONF_EMPTY_REFUSED,
	    "Numeric address of a third listener, for operators: tenantgatectl and /admin."),
	RESTART(NUMBER, "admin_listen_port", admin_listen_port, "0", 0, 65535,
	    "Its TCP port; 0 for none. It wants an admin key; see admin_tls_certificate, too."),
	RESTART(STRING, "admin_hosts", admin_hosts, "", CONF_EMPTY_ALLOWED,
	    "Names by which operators reach it, by commas; addresses and localhost always do."),
	SIZE("client_header_size", http.header_bytes_max, "32KiB", 1 * KIB, 1 * MIB,
	    "Request line and header fields of a request."),
	NUMBER("client_header_count", http.header_count_max, "100", 8, 10000,
	    "Header fields of a request."),
	SIZE("client_target_size", http.target_max, "8KiB", 256, 64 * KIB,
	    "The target (path and query) of a request."),
	DURATION("client_header_timeout", http.header_timeout_us, "60s", 10 * MS, 1 * HOURS,
	    "From the first byte of a request to its last header field."),
	DURATION("client_body_timeout", http.body_timeout_us, "60s", 10 * MS, 1 * HOURS,
	    "Between two pieces of a request's body."),
	NUMBER("client_body_min_rate", http.body_rate_min, "500", 0, 1000000000,
	    "Bytes a second that a request's body must bring, after client_body_timeout; 0: none."),
	DURATION("send_timeout", http.send_timeout_us, "60s", 10 * MS, 1 * HOURS,
	    "How long a client may take nothing of its response."),
	DURATION("keepalive_timeout", http.keepalive_timeout_us, "75s", 10 * MS, 24 * HOURS,
	    "How long a connection stays open between requests."),
	DURATION("keepalive_min_timeout", http.keepalive_min_timeout_us, "1s", 0, 1 * HOURS,
	    "What connections without a request have left when a drain begins."),
	SIZE("send_buffer_size", http.write_high_water, "8KiB", 1 * KIB, 16 * MIB,
	    "Bytes queued for a slow client before the source of its response is paused."),
	STRING("server_header", http.server_name, "tenantgate", CONF_EMPTY_IS_NULL,
	    "The Server field of responses; empty for none."),

	GROUP("Process"),
	RESTART(NUMBER, "workers", workers, "0", 0, POOL_WORKERS_MAX,
	    "Threads that serve; 0 for one a processor."),
	RESTART(STRING, "user", user, "", CONF_EMPTY_ALLOWED,
	    "User to become when started as root, which is refused otherwise."),
	RESTART(STRING, "pid_file", pid_file, "", CONF_EMPTY_ALLOWED,
	    "File to write the process id to; empty for none."),
	RESTART(SWITCH, "so_reuseport", so_reuseport, "off",
	    "Another process of the same user may listen on the same ports."),
	RESTART(STRING, "takeover_socket", takeover_socket, "", CONF_EMPTY_ALLOWED,
	    "Unix socket by which `tenantgate --take-over` gets our listeners; empty for none."),
	RESTART(STRING, "log_file", log_file, "", CONF_EMPTY_ALLOWED,
	    "File to append the log to; empty for standard error."),
	WORD("log_level", log_level, "notice", log_levels, "The least important lines to log."),
	SWITCH("access_log", api.access_log, "on", "One JSON line in the log for each request."),
	DURATION("drain_delay", drain_delay_us, "0s", 0, 1 * HOURS,
	    "After SIGTERM: how long to go on accepting, with /readyz at 503, before closing."),
	DURATION("shutdown_timeout", shutdown_timeout_us, "30s", 0, 24 * HOURS,
	    "After that: how long streams may take to finish."),
	RESTART(STRING, "dns_nameserver", dns_nameserver, "", CONF_EMPTY_ALLOWED,
	    "Address and port of the name server that is asked for every host's name; empty for "
	    "those of /etc/resolv.conf."),
	RESTART(DURATION, "dns_timeout", dns_timeout_us, "2s", 10 * MS, 60 * SECONDS,
	    "How long one query to a name server may take."),

	GROUP("Traces"),
	RESTART(URL, "otlp_url", api.otlp.url, "", CONF_EMPTY_ALLOWED, "http https",
	    "Collector of traces (OTLP over HTTP, such as http://127.0.0.1:4318); empty: none."),
	RESTART(NUMBER, "trace_sample", api.otlp.sample, "100", 0, 100,
	    "Of 100 traces that begin here, how many it gets; callers' own say that themselves."),
	SWITCH("server_timing", api.server_timing, "off",
	    "Responses tell clients how long each step took (Server-Timing)."),
};
/* clang-format on */

const unsigned conf_process_keys_count = sizeof(conf_process_keys) / sizeof(conf_process_keys[0]);

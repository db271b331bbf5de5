/* SPDX-License-Identifier: MIT */
/*
 * conf_trace_keys: the keys of [tenantgate] of traces, for conf_keys.c alone.
 */
#ifndef CONF_TRACE_KEYS_H
#define CONF_TRACE_KEYS_H

/* clang-format off */
#define TRACE_KEYS \
	GROUP("Traces"), \
	RESTART(URL, "otlp_url", api.otlp.url, "", CONF_EMPTY_ALLOWED, "http https", \
	    "Collector of traces (OTLP over HTTP, such as http://127.0.0.1:4318); empty: none."), \
	RESTART(NUMBER, "trace_sample", api.otlp.sample, "100", 0, 100, \
	    "Of 100 traces that begin here, how many it gets; callers' own say that themselves."), \
	SWITCH("server_timing", api.server_timing, "off", \
	    "Responses tell clients how long each step took (Server-Timing).")
/* clang-format on */

#endif

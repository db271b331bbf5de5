/* SPDX-License-Identifier: MIT */
/*
 * conf_process_keys: the keys of [tenantgate] of the process, for conf_keys.c alone.
 */
#ifndef CONF_PROCESS_KEYS_H
#define CONF_PROCESS_KEYS_H

/* clang-format off */
#define PROCESS_KEYS \
	GROUP("Process"), \
	RESTART(NUMBER, "workers", workers, "0", 0, POOL_WORKERS_MAX, \
	    "Threads that serve; 0 for one a processor."), \
	RESTART(STRING, "user", user, "", CONF_EMPTY_ALLOWED, \
	    "User to become when started as root, which is refused otherwise."), \
	RESTART(STRING, "pid_file", pid_file, "", CONF_EMPTY_ALLOWED, \
	    "File to write the process id to; empty for none."), \
	RESTART(SWITCH, "so_reuseport", so_reuseport, "off", \
	    "Another process of the same user may listen on the same ports."), \
	RESTART(STRING, "takeover_socket", takeover_socket, "", CONF_EMPTY_ALLOWED, \
	    "Unix socket by which `tenantgate --take-over` gets our listeners; empty for none."), \
	RESTART(STRING, "log_file", log_file, "", CONF_EMPTY_ALLOWED, \
	    "File to append the log to; empty for standard error."), \
	WORD("log_level", log_level, "notice", log_levels, "The least important lines to log."), \
	SWITCH("access_log", api.access_log, "on", "One JSON line in the log for each request."), \
	DURATION("drain_delay", drain_delay_us, "0s", 0, 1 * HOURS, \
	    "After SIGTERM: how long to go on accepting, with /readyz at 503, before closing."), \
	DURATION("shutdown_timeout", shutdown_timeout_us, "30s", 0, 24 * HOURS, \
	    "After that: how long streams may take to finish."), \
	RESTART(STRING, "dns_nameserver", dns_nameserver, "", CONF_EMPTY_ALLOWED, \
	    "Address and port of the name server to ask; empty for those of /etc/resolv.conf."), \
	RESTART(DURATION, "dns_timeout", dns_timeout_us, "2s", 10 * MS, 60 * SECONDS, \
	    "How long one query to a name server may take.")
/* clang-format on */

#endif

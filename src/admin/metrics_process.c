/* SPDX-License-Identifier: MIT */
/*
 * metrics_process: which build runs, what it takes of the machine, how its loops are.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "admin/metrics_page.h"
#include "tenantgate/base/log.h"

#define MICROSECONDS 1e6

static double
cpu_seconds(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The descriptor that lists them is one of them. */
static double
open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double n = -1;
	const struct dirent *entry;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

static double
resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long size = 0, resident = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	(void)fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double
max_fds(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static void
put_figure(struct metric_page *page, const char *name, enum metric_type type, const char *help,
    double value)
{
	metric_family(page, name, type, help);
	metric_sample(page, name, NULL, 0, value);
}

/* Names that all clients of Prometheus give them. */
static void
put_machine(struct metric_page *page)
{
	put_figure(page, "process_cpu_seconds_total", METRIC_COUNTER,
	    "Processor time that the process has used.", cpu_seconds());
	put_figure(page, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory.",
	    resident_bytes());
	put_figure(page, "process_open_fds", METRIC_GAUGE, "Open file descriptors.", open_fds());
	put_figure(page, "process_max_fds", METRIC_GAUGE, "How many may be open.", max_fds());
}

typedef double worker_value_fn(const struct worker *);

static double
worker_lag_s(const struct worker *w)
{
	return (double)worker_lag_us(w) / MICROSECONDS;
}

static double
worker_turned(const struct worker *w)
{
	return (double)worker_turns(w);
}

static double
worker_cpu_s(const struct worker *w)
{
	return (double)worker_cpu_us(w) / MICROSECONDS;
}

static double
worker_live(const struct worker *w)
{
	return (double)flow_count(w);
}

static double
worker_long(const struct worker *w)
{
	return (double)worker_long_turns(w);
}

static const struct {
	const char *name;
	enum metric_type type;
	const char *help;
	worker_value_fn *value;
} worker_values[] = {
	{ "tenantgate_loop_lag_seconds", METRIC_GAUGE,
	    "By how much the loop was late for a timer when it was last measured.", worker_lag_s },
	{ "tenantgate_loop_turns_total", METRIC_COUNTER, "Turns of the loop.", worker_turned },
	{ "tenantgate_loop_cpu_seconds_total", METRIC_COUNTER,
	    "Processor time that these turns took.", worker_cpu_s },
	{ "tenantgate_loop_long_turns_total", METRIC_COUNTER,
	    "Turns of the loop that computed for longer than 5 ms.", worker_long },
	{ "tenantgate_flows_live", METRIC_GAUGE, "Flows under way.", worker_live },
};

static void
put_workers(struct metric_page *page, const struct admin_context *ctx)
{
	unsigned workers = atomic_load(ctx->worker_count);

	for (size_t k = 0; k < sizeof(worker_values) / sizeof(worker_values[0]); k++) {
		metric_family(page, worker_values[k].name, worker_values[k].type,
		    worker_values[k].help);
		for (unsigned i = 0; i < workers; i++) {
			char index[16];
			struct metric_label label;

			(void)snprintf(index, sizeof(index), "%u", i);
			label = (struct metric_label){ "worker", slice_str(index) };
			metric_sample(page, worker_values[k].name, &label, 1,
			    worker_values[k].value(ctx->workers[i]));
		}
	}
}

/* Prometheus' own words for it. */
static void
put_configuration(struct metric_page *page, const struct api_shared *shared)
{
	put_figure(page, "tenantgate_config_last_reload_successful", METRIC_GAUGE,
	    "1 unless the last try to read the configuration anew has failed.",
	    !atomic_load(&shared->reload_has_failed));
	put_figure(page, "tenantgate_config_last_reload_success_timestamp_seconds", METRIC_GAUGE,
	    "When the configuration in force was read.",
	    (double)atomic_load(&shared->configured_us) / MICROSECONDS);
}

static void
put_clients(struct metric_page *page, const struct http_shared *clients)
{
	if (clients == NULL)
		return;
	put_figure(page, "tenantgate_client_connections", METRIC_GAUGE,
	    "Client connections of the public listener.", http_shared_connections(clients));
	put_figure(page, "tenantgate_client_connections_accepted_total", METRIC_COUNTER,
	    "Those that were taken in.", (double)http_shared_accepted(clients));
	put_figure(page, "tenantgate_client_connections_refused_total", METRIC_COUNTER,
	    "Those that were refused: max_client_conn were open.",
	    (double)http_shared_refused(clients));
	put_figure(page, "tenantgate_tls_handshakes_in_progress", METRIC_GAUGE,
	    "TLS handshakes of the public listener under way.", http_shared_handshakes(clients));
}

static void
put_log(struct metric_page *page)
{
	struct log_counts counts;

	log_counts(&counts);
	put_figure(page, "tenantgate_log_lines_lost_total", METRIC_COUNTER,
	    "Lines of the log that whoever reads it did not take in time.", (double)counts.lost);
	put_figure(page, "tenantgate_log_lines_folded_total", METRIC_COUNTER,
	    "Lines that were counted in the next of their kind.", (double)counts.folded);
}

void
metrics_put_process(struct metric_page *page, const struct admin_context *ctx)
{
	struct metric_label labels[] = {
		{ "version", slice_str(ctx->version) },
		{ "environment", slice_str(ctx->api->environment) },
	};
	enum api_phase phase = atomic_load(&ctx->api->shared->phase);

	metric_family(page, "tenantgate_build_info", METRIC_GAUGE,
	    "1, with the build's version and the environment.");
	metric_sample(page, "tenantgate_build_info", labels, 2, 1);
	put_figure(page, "tenantgate_ready", METRIC_GAUGE,
	    "1 while requests are served, 0 while starting and draining.", phase == API_SERVING);
	put_configuration(page, ctx->api->shared);
	put_clients(page, ctx->api->shared->clients);
	put_log(page);
	put_machine(page);
	put_workers(page, ctx);
}

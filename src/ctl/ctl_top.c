/* SPDX-License-Identifier: MIT */
/*
 * ctl_top: what happens now, as a table that is written anew every second or so: rates and times by
 * route, the steps that take longest, what is scarce, the loudest tenants. The server tells counts
 * since its start; what is shown is the difference between two answers.
 *
 * On a terminal the screen is written over; elsewhere one table follows another.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/ctl_top.h"

#define LINES_DEFAULT 40
#define STEPS_SHOWN   6
#define LINES_OF_REST 9 /* headings and blank lines */

static volatile sig_atomic_t is_interrupted;

static void
interrupt(int signal)
{
	(void)signal;
	is_interrupted = 1;
}

static unsigned
screen_lines(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > LINES_OF_REST + 8)
		return size.ws_row;
	return LINES_DEFAULT;
}

/* What did not happen last; requests first, for who looks asks for these. */
static int
by_rate(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if ((x->rate > 0) != (y->rate > 0))
		return x->rate > 0 ? -1 : 1;
	if (x->is_request != y->is_request)
		return x->is_request ? -1 : 1;
	return x->rate < y->rate ? 1 : x->rate > y->rate ? -1 : 0;
}

static int
by_busy(const void *a, const void *b)
{
	double x = ((const struct top_row *)a)->busy, y = ((const struct top_row *)b)->busy;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* qsort() takes no NULL, of nothing neither. */
static void
rows_sort(struct top_row *rows, unsigned count, int (*by)(const void *, const void *))
{
	if (count > 0)
		qsort(rows, count, sizeof(*rows), by);
}

static void
print_time(double seconds)
{
	if (isnan(seconds))
		printf(" %9s", "-");
	else if (seconds < 0.9995)
		printf(" %6.1f ms", seconds * 1000);
	else
		printf(" %6.1f s ", seconds);
}

static void
print_routes(struct top_table *t, unsigned max)
{
	rows_sort(t->kinds, t->kind_count, by_rate);
	printf("%-24s %9s %9s %9s %9s %9s\n", "FLOW", "rate/s", "failed/s", "p50", "p95", "p99");
	for (unsigned i = 0; i < t->kind_count && i < max && t->kinds[i].rate > 0; i++) {
		const struct top_row *r = &t->kinds[i];

		printf("%-24s %9.1f %9.1f", r->name, r->rate, r->failed);
		print_time(r->p50);
		print_time(r->p95);
		print_time(r->p99);
		putchar('\n');
	}
}

static void
print_steps(struct top_table *t)
{
	rows_sort(t->steps, t->step_count, by_busy);
	printf("\n%-34s %9s %9s %9s %9s\n", "STEPS, WAITS INCLUDED", "rate/s", "at once", "p50",
	    "p95");
	for (unsigned i = 0; i < t->step_count && i < STEPS_SHOWN && t->steps[i].rate > 0; i++) {
		const struct top_row *r = &t->steps[i];

		printf("%-34s %9.1f %9.1f", r->name, r->rate, r->busy);
		print_time(r->p50);
		print_time(r->p95);
		putchar('\n');
	}
}

/* In nine columns, whatever there is of it; bytes in units of 1024. */
static void
print_units(const json_t *share, const char *member, bool is_bytes)
{
	static const char *const units[][5] = { { "", "K", "M", "G", "T" },
		{ "", "KiB", "MiB", "GiB", "TiB" } };
	double value = json_number_value(json_object_get(share, member));
	double base = is_bytes ? 1024 : 1000;
	unsigned i = 0;
	char text[32];

	if (json_is_null(json_object_get(share, member))) {
		printf(" %9s", "-");
		return;
	}
	for (; i < 4 && value >= (is_bytes ? base : 1000 * base); i++)
		value /= base;
	(void)snprintf(text, sizeof(text), "%.0f %s", value, units[is_bytes][i]);
	if (i == 0)
		(void)snprintf(text, sizeof(text), "%.0f", value);
	printf(" %9s", text);
}

static void
print_shares(const json_t *shares)
{
	size_t i;
	json_t *s;

	printf("\n%-34s %9s %9s %9s %9s\n", "WHAT IS SCARCE", "held", "of", "waiting", "longest");
	json_array_foreach((json_t *)shares, i, s) {
		char name[35];

		err_text_copy(name, sizeof(name),
		    json_string_value(json_object_get(s, "name")) != NULL
			? json_string_value(json_object_get(s, "name"))
			: "?");
		printf("%-34s", name);
		print_units(s, "held", strstr(name, "_bytes") != NULL);
		print_units(s, "capacity", strstr(name, "_bytes") != NULL);
		print_units(s, "waiting", false);
		print_time(json_number_value(json_object_get(s, "longestWaitSeconds")));
		putchar('\n');
	}
}

static void
print_tenants(struct top_table *t, unsigned max)
{
	rows_sort(t->tenants, t->tenant_count, by_rate);
	printf("\n%-34s %9s %9s %9s\n", "LOUDEST TENANTS", "rate/s", "failed/s", "at once");
	for (unsigned i = 0; i < t->tenant_count && i < max && t->tenants[i].rate > 0; i++) {
		const struct top_row *r = &t->tenants[i];

		printf("%-34s %9.1f %9.1f %9.1f\n", r->name, r->rate, r->failed, r->busy);
	}
}

/* A terminal obeys nothing of it. */
static void
print_member(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));
	char clean[TOP_NAME_MAX + 1];

	err_text_copy(clean, sizeof(clean), text != NULL ? text : "?");
	(void)fputs(clean, stdout);
}

static void
print_screen(struct top_table *t, const json_t *about, const json_t *shares, double over_s)
{
	unsigned lines = screen_lines();
	unsigned rest = lines - LINES_OF_REST - STEPS_SHOWN - (unsigned)json_array_size(shares) - 1;
	char when[32];
	time_t now = time(NULL);
	struct tm tm;

	rest = rest > lines ? 4 : rest < 4 ? 4 : rest;
	(void)strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&now, &tm));
	if (isatty(STDOUT_FILENO) == 1)
		(void)fputs("\033[H\033[2J", stdout);
	printf("tenantgate ");
	print_member(about, "version");
	printf(", environment ");
	print_member(about, "environment");
	printf(", ");
	print_member(about, "phase");
	printf("; %s, over %.1f s\n\n", when, over_s);
	print_routes(t, rest / 2);
	print_steps(t);
	print_shares(shares);
	print_tenants(t, rest - rest / 2);
	(void)fflush(stdout);
}

/* One round: asks, shows the difference to the last, and keeps the answer. */
static enum ctl_exit
top_round(struct ctl_session *s, const json_t *about, json_t **last)
{
	json_t *now = NULL, *shares = NULL;
	enum ctl_exit rc = ctl_ask(s, "top", "GET", "/admin/top", NULL, &now);
	struct top_table t = { 0 };
	double over_s;

	if (rc == CTL_DONE)
		rc = ctl_ask(s, "top", "GET", "/admin/shares", NULL, &shares);
	if (rc == CTL_DONE && *last != NULL) {
		over_s = ctl_top_reckon(&t, *last, now);
		print_screen(&t, about, json_object_get(shares, "shares"), over_s);
		ctl_top_free(&t);
	}
	json_decref(shares);
	json_decref(*last);
	*last = now;
	return rc;
}

enum ctl_exit
ctl_top(struct ctl_session *s, unsigned interval_s, unsigned rounds)
{
	json_t *about = NULL, *last = NULL;
	enum ctl_exit rc;

	(void)signal(SIGINT, interrupt);
	(void)signal(SIGTERM, interrupt);
	ctl_session_stop_on(s, &is_interrupted);
	rc = ctl_ask(s, "top", "GET", "/admin", NULL, &about);
	for (unsigned i = 0;
	     rc == CTL_DONE && !is_interrupted && !ferror(stdout) && (rounds == 0 || i <= rounds);
	     i++) {
		struct timespec pause = { .tv_sec = (time_t)interval_s };

		if (i > 0)
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		if (!is_interrupted)
			rc = top_round(s, about, &last);
	}
	json_decref(about);
	json_decref(last);
	return is_interrupted ? CTL_DONE : rc;
}

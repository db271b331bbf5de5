/* SPDX-License-Identifier: MIT */
/*
 * usage_days: the days that usage is asked for, and the answer. Pure, but for today.
 */
#include <string.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "usage/usage_tally.h"

#define DAY_US (86400 * 1000000ull)

static bool
digits(const char *p, size_t n, unsigned *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(p[i] - '0');
	}
	return true;
}

static bool
day_is_valid(struct slice s)
{
	static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day;
	bool is_leap;

	if (s.len != USAGE_DAY_SIZE - 1 || s.p[4] != '-' || s.p[7] != '-' ||
	    !digits(s.p, 4, &year) || !digits(s.p + 5, 2, &month) || !digits(s.p + 8, 2, &day) ||
	    year < 1970 || month < 1 || month > 12 || day < 1)
		return false;
	is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return day <= lengths[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

static void
last_days(unsigned count, struct usage_days *out)
{
	uint32_t today = (uint32_t)(clock_wall_us() / DAY_US);

	usage_day_text(today, out->to);
	usage_day_text(today + 1 - count, out->from);
}

static bool
day_read(const char *name, struct slice text, char out[USAGE_DAY_SIZE], struct err *err)
{
	if (text.p == NULL)
		return true;
	if (!day_is_valid(text)) {
		err_set(err, ERR_INVALID_FIELD,
		    "Parameter \"%s\" must be a day like 2026-11-28 (UTC).", name);
		return false;
	}
	memcpy(out, text.p, USAGE_DAY_SIZE - 1);
	out[USAGE_DAY_SIZE - 1] = '\0';
	return true;
}

bool
usage_days_read(struct slice from, struct slice to, struct usage_days *days, struct err *err)
{
	last_days(USAGE_DAYS_DEFAULT, days);
	if (!day_read("from", from, days->from, err) || !day_read("to", to, days->to, err))
		return false;
	if (strcmp(days->from, days->to) > 0)
		err_set(err, ERR_INVALID_FIELD,
		    "Parameter \"from\" (%s) must not be after \"to\" (%s).", days->from, days->to);
	return !err_is(err);
}

static void
put_usage(struct buf *b, const struct usage_row *row)
{
	buf_printf(b, "{\"day\":\"%s\",", row->day);
	if (row->model[0] != '\0') {
		buf_puts(b, "\"model\":");
		json_put_string(b, slice_str(row->model));
		buf_putc(b, ',');
	}
	usage_count_put(b, &row->count);
	buf_putc(b, '}');
}

void
usage_days_put(struct buf *b, const struct usage_days *days, const struct usage_conf *conf,
    const struct pg_result *rows)
{
	struct usage_count totals = { 0 };
	struct usage_row row;

	buf_printf(b, "{\"from\":\"%s\",\"to\":\"%s\",\"delaySeconds\":%llu,\"usage\":[",
	    days->from, days->to,
	    (unsigned long long)((conf->write_interval_us + 999999) / 1000000));
	for (unsigned i = 0; i < pg_rows(rows); i++) {
		usage_row_read(rows, i, &row);
		usage_count_add(&totals, &row.count);
		if (i > 0)
			buf_putc(b, ',');
		put_usage(b, &row);
	}
	buf_puts(b, "],\"totals\":{");
	usage_count_put(b, &totals);
	buf_puts(b, "}}");
}

/* SPDX-License-Identifier: MIT */
/*
 * clock_read.c: a time as others write it: RFC 3339, 5.6, with its zone.
 */
#include <time.h>

#include "tenantgate/base/clock.h"

/* As many digits, taken from the front. -1: there are not so many. */
static int
take_number(struct slice *s, size_t digits)
{
	int n = 0;

	if (s->len < digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return -1;
		n = n * 10 + (s->p[i] - '0');
	}
	*s = slice_of(s->p + digits, s->len - digits);
	return n;
}

static bool
take_mark(struct slice *s, const char *marks)
{
	bool is_there = s->len > 0 && s->p[0] != '\0' && strchr(marks, s->p[0]) != NULL;

	if (is_there)
		*s = slice_of(s->p + 1, s->len - 1);
	return is_there;
}

/* "+02:00" in seconds; false: it is none. */
static bool
take_zone(struct slice *s, int *seconds)
{
	int sign = s->len > 0 && s->p[0] == '-' ? -1 : 1, hours, minutes;

	*seconds = 0;
	if (take_mark(s, "Zz"))
		return true;
	if (!take_mark(s, "+-"))
		return false;
	hours = take_number(s, 2);
	if (!take_mark(s, ":"))
		return false;
	minutes = take_number(s, 2);
	*seconds = sign * (hours * 3600 + minutes * 60);
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

/* Of a second; digits past the sixth count for nothing. */
static bool
take_fraction(struct slice *s, uint64_t *us)
{
	uint64_t unit = 100000;
	int digit;

	*us = 0;
	if (!take_mark(s, "."))
		return true;
	digit = take_number(s, 1);
	if (digit < 0)
		return false;
	for (; digit >= 0; digit = take_number(s, 1), unit /= 10)
		*us += unit * (uint64_t)digit;
	return true;
}

/* timegm() makes the 31st of April the 1st of May: what comes back must be what went in. */
static bool
date_is_real(const struct tm *tm)
{
	struct tm copy = *tm;

	(void)timegm(&copy);
	return copy.tm_mday == tm->tm_mday && copy.tm_mon == tm->tm_mon;
}

uint64_t
clock_iso_read(struct slice s)
{
	struct tm tm = { 0 };
	int zone;
	uint64_t us;
	time_t at;
	bool ok;

	tm.tm_year = take_number(&s, 4) - 1900;
	ok = take_mark(&s, "-");
	tm.tm_mon = take_number(&s, 2) - 1;
	ok = ok && take_mark(&s, "-");
	tm.tm_mday = take_number(&s, 2);
	ok = ok && take_mark(&s, "Tt ") && tm.tm_mon >= 0 && tm.tm_mon < 12 && tm.tm_mday > 0 &&
	    date_is_real(&tm);
	tm.tm_hour = take_number(&s, 2);
	ok = ok && take_mark(&s, ":") && tm.tm_hour >= 0 && tm.tm_hour < 24;
	tm.tm_min = take_number(&s, 2);
	ok = ok && take_mark(&s, ":") && tm.tm_min >= 0 && tm.tm_min < 60;
	tm.tm_sec = take_number(&s, 2);
	ok = ok && tm.tm_sec >= 0 && tm.tm_sec <= 60 && take_fraction(&s, &us) &&
	    take_zone(&s, &zone) && s.len == 0;
	if (!ok)
		return 0;
	at = timegm(&tm) - zone;
	return at <= 0 ? 0 : (uint64_t)at * 1000000 + us;
}

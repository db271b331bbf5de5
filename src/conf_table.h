/* SPDX-License-Identifier: MIT */
/*
 * conf_table: how a row of a section's table of keys is written. A file that has such a table says
 * before which struct its keys fill: #define CONF_STRUCT struct conf.
 */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include "conf_internal.h"

/* clang-format off */
#define MS	1000ull
#define SECONDS (1000 * MS)
#define HOURS	(3600 * SECONDS)
#define DAYS	(24 * HOURS)
#define KIB	1024ull
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)

/* Offset and size of a member. */
#define AT(member) offsetof(CONF_STRUCT, member), sizeof(((CONF_STRUCT *)0)->member)

/* The columns: the key, the member, the default as one would write it (of those that must be set:
 * an example that begins with '$'), then what the type wants, then the help sentence. A reload
 * applies what a file that has changed says of a key (reload.h); RESTART(NUMBER, ...) is the row of
 * one that is applied by the next start alone. */
#define GROUP(title) \
	{ \
		.type = CONF_GROUP, .name = (title) \
	}
#define ROW_STRING(name, member, default_text, empty, help) \
	CONF_STRING, name, AT(member), default_text, empty, 0, 0, NULL, NULL, help
#define ROW_SECRET(name, member, example, empty, help) \
	CONF_SECRET, name, AT(member), example, empty, 0, 0, NULL, NULL, help
#define ROW_URL(name, member, default_text, empty, schemes, help) \
	CONF_URL, name, AT(member), default_text, empty, 0, 0, NULL, schemes, help
#define ROW_RANGE(type, name, member, default_text, min, max, help) \
	type, name, AT(member), default_text, CONF_EMPTY_ALLOWED, min, max, NULL, NULL, help
#define ROW_NUMBER(...)	  ROW_RANGE(CONF_NUMBER, __VA_ARGS__)
#define ROW_SIZE(...)	  ROW_RANGE(CONF_SIZE, __VA_ARGS__)
#define ROW_DURATION(...) ROW_RANGE(CONF_DURATION, __VA_ARGS__)
#define ROW_SWITCH(name, member, default_text, help) \
	ROW_RANGE(CONF_SWITCH, name, member, default_text, 0, 1, help)
#define ROW_WORD(name, member, default_text, words, help) \
	CONF_WORD, name, AT(member), default_text, CONF_EMPTY_ALLOWED, 0, 0, words, NULL, help

#define ROW(type, needs, ...) \
	{ \
		ROW_##type(__VA_ARGS__), .needs_restart = (needs) \
	}
#define RESTART(type, ...) ROW(type, true, __VA_ARGS__)
#define STRING(...)	   ROW(STRING, false, __VA_ARGS__)
#define SECRET(...)	   ROW(SECRET, false, __VA_ARGS__)
#define URL(...)	   ROW(URL, false, __VA_ARGS__)
#define NUMBER(...)	   ROW(NUMBER, false, __VA_ARGS__)
#define SIZE(...)	   ROW(SIZE, false, __VA_ARGS__)
#define DURATION(...)	   ROW(DURATION, false, __VA_ARGS__)
#define SWITCH(...)	   ROW(SWITCH, false, __VA_ARGS__)
#define WORD(...)	   ROW(WORD, false, __VA_ARGS__)
/* clang-format on */

#endif

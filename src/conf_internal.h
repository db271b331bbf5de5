/* SPDX-License-Identifier: MIT */
/*
 * conf_room: what the files of the configuration share.
 *
 *	conf_keys.c	the table: every key, its type, default, range and sentence
 *	conf_file.c	lines of a file -> (key, value text), %include
 *	conf_expand.c	${ENV} and @file in a value; what of it is a secret written down
 *	conf_value.c	value text -> the member of struct conf
 *	conf_print.c	the table as a sample file and as --help
 *	conf_error.c	an error as one line
 *	conf_string.c	the strings a conf owns
 *	conf.c		defaults, then the file, then the checks across keys
 *
 * Calls go one way: conf.c, conf_file.c, conf_value.c and conf_expand.c, then the rest.
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "conf.h"

#define CONF_VALUE_MAX	8192	/* bytes of a value, expanded */
#define CONF_KEYS_MAX	128

enum conf_type {
	CONF_GROUP,	/* no key: a heading of the sample file */
	CONF_STRING,
	CONF_SECRET,	/* a string that may be @file and is not to be read by others */
	CONF_URL,	/* the same when it holds a password; its scheme is checked */
	CONF_NUMBER,
	CONF_SIZE,	/* 64MiB */
	CONF_DURATION,	/* 15s */
	CONF_SWITCH,	/* on, off */
	CONF_WORD,	/* one of a list */
};

enum conf_need {
	CONF_MAY,	/* "" is a value */
	CONF_MAY_NULL,	/* "" becomes NULL: the room's contract says so */
	CONF_MUST,	/* there is no default; "" is an error */
};

struct conf_word {
	const char	*word;
	int		 value;
};

struct conf_key {
	enum conf_type			 type;
	const char			*name;
	size_t				 offset;	/* in struct conf */
	size_t				 size;		/* of that member, bytes */
	const char			*standard;	/* default; with CONF_MUST an example */
	enum conf_need			 need;		/* strings */
	uint64_t			 min;		/* numbers; durations in microseconds */
	uint64_t			 max;
	const struct conf_word		*words;		/* CONF_WORD, ended by NULL */
	const char			*schemes;	/* CONF_URL: "http https" */
	const char			*help;		/* one sentence */
};

extern const struct conf_key	conf_keys[];
extern const unsigned		conf_key_count;

struct conf_place {
	const char	*file;	/* owned by the conf; NULL: nowhere */
	unsigned	 line;
};

/* One run of conf_load(). */
struct conf_reading {
	struct conf		*conf;
	struct buf		*errors;
	struct conf_place	 seen[CONF_KEYS_MAX];	/* by index in conf_keys */
	unsigned		 depth;			/* of %include */
	bool			 public;		/* others may read the present file */
};

/* One error: "FILE:LINE: sentence". line 0: "FILE: sentence". */
void		 conf_error(struct conf_reading *, const struct conf_place *, const char *fmt, ...)
		    __attribute__((format(printf, 3, 4)));
/* A copy that lives as long as the conf, and is wiped at its end. */
const char	*conf_keep(struct conf *, struct slice);

void		 conf_read_file(struct conf_reading *, const char *path,
		    const struct conf_place *from);

/* Expands ${NAME}, ${NAME:-default} and $$ into out. `written` gets what stands in the file
 * itself: the text without what came from outside. False with an error said. */
bool		 conf_expand(struct conf_reading *, const struct conf_place *, struct slice text,
		    struct buf *out, struct buf *written);
/* The content of the file a secret names, its last newline cut. False with an error said. */
bool		 conf_read_secret(struct conf_reading *, const struct conf_place *,
		    const char *path, struct buf *out);
/* Folder of `file` + path, unless path is absolute; in out, false when it does not fit. */
bool		 conf_path_beside(const char *file, struct slice path, char *out, size_t size);

/* The text into the member. False with an error said. */
bool		 conf_store(struct conf_reading *, const struct conf_place *,
		    const struct conf_key *, struct slice text);

/* The name of `names` nearest to text, when it is near enough to have been meant; or NULL. */
struct conf_guess {
	char		 text[64];
	const char	*best;
	unsigned	 distance;
};
void		 conf_guess_start(struct conf_guess *, struct slice text);
void		 conf_guess_try(struct conf_guess *, const char *name);

#endif

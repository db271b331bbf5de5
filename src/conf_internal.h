/* SPDX-License-Identifier: MIT */
/*
 * conf_internal: what the files of the configuration share.
 *
 *	conf_keys.c	the table: every key, its type, default, range and sentence
 *	conf_file.c	lines of a file -> (key, value text), %include
 *	conf_expand.c	${ENV} and @FILE in a value; what of it stands in the file itself
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
#define CONF_KEYS_MAX	160	/* room in conf_reading.seen; conf_keys.c asserts it */

enum conf_type {
	CONF_GROUP,	/* no key: a heading of the sample file */
	CONF_STRING,
	CONF_SECRET,	/* a string; may be @FILE; must not stand in a file others may read */
	CONF_URL,	/* the same when it holds a password; its scheme is checked */
	CONF_NUMBER,
	CONF_SIZE,	/* 64MiB */
	CONF_DURATION,	/* 15s */
	CONF_SWITCH,	/* on, off */
	CONF_WORD,	/* one of a list */
};

/* What an empty value of a string means. */
enum conf_empty {
	CONF_EMPTY_ALLOWED,	/* "" is a value */
	CONF_EMPTY_IS_NULL,	/* "" becomes NULL, as the module's header wants it */
	CONF_EMPTY_REFUSED,	/* an error */
};

/* A word of a CONF_WORD and what it sets the member to. */
struct conf_word {
	const char	*word;
	int		 value;
};

struct conf_key {
	enum conf_type			 type;
	const char			*name;
	size_t				 offset;	/* in struct conf */
	size_t				 size;		/* of that member, bytes */
	/* The default as one would write it; where it begins with '$' there is none: the key must
	 * be set, and this is the sample file's example. */
	const char			*default_text;
	enum conf_empty			 empty;		/* strings */
	uint64_t			 min;		/* numbers, sizes in bytes, times in us */
	uint64_t			 max;
	const struct conf_word		*words;		/* CONF_WORD, ended by NULL */
	const char			*schemes;	/* CONF_URL: "http https" */
	const char			*help;		/* one sentence */
};

extern const struct conf_key	conf_keys[];
extern const unsigned		conf_key_count;

/* Where something stands, for an error to name. */
struct conf_place {
	const char	*file;	/* owned by the conf; NULL: nowhere */
	unsigned	 line;	/* from 1; 0: the file as a whole */
};

/* One run of conf_load(). */
struct conf_reading {
	struct conf		*conf;
	struct buf		*errors;
	struct conf_place	 seen[CONF_KEYS_MAX];	/* where set, by index in conf_keys */
	bool			 refused[CONF_KEYS_MAX];	/* its value was, with a reason */
	unsigned		 depth;			/* of %include */
	bool			 public;		/* others may read this file */
};

/* Adds one error: "FILE:LINE: Sentence.", with line 0 "FILE: Sentence.". Bytes that a terminal
 * would obey are shown as '?'. The caller puts no secret in it. */
void		 conf_error(struct conf_reading *, const struct conf_place *, const char *fmt, ...)
		    __attribute__((format(printf, 3, 4)));
/* A copy that lives as long as the conf, and is wiped at its end. Never NULL. */
const char	*conf_keep(struct conf *, struct slice);

/* Reads a file and what it includes. `from`: where it is included, or NULL for the first. */
void		 conf_read_file(struct conf_reading *, const char *path,
		    const struct conf_place *from);

/* Expands ${NAME}, ${NAME:-default} and $$ into out. `literal` gets what stands in the file itself:
 * the text without what the environment gave. False with an error reported. */
bool		 conf_expand(struct conf_reading *, const struct conf_place *, struct slice text,
		    struct buf *out, struct buf *literal);
/* The content of the file that a secret names, without the line ends at its end. False with an
 * error reported: among others when all users may read the file. */
bool		 conf_read_secret(struct conf_reading *, const struct conf_place *,
		    const char *path, struct buf *out);
/* A path written in `file` is relative to its folder, not to where we were started. False when the
 * result does not fit. */
bool		 conf_path_beside(const char *file, struct slice path, char *out, size_t size);

/* Puts the text into the key's member, by its type. False with an error reported; the member is as
 * before. */
bool		 conf_store(struct conf_reading *, const struct conf_place *,
		    const struct conf_key *, struct slice text);

/* Which of several names is nearest to a text: start, try each name, read `best`. */
struct conf_guess {
	char		 text[64];	/* what was written, cut */
	const char	*best;		/* borrowed; NULL while none was near enough to be meant */
	unsigned	 distance;	/* of the best; at first the least that is too far */
};
void		 conf_guess_start(struct conf_guess *, struct slice text);
void		 conf_guess_try(struct conf_guess *, const char *name);

#endif

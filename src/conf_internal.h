/* SPDX-License-Identifier: MIT */
/*
 * conf_internal: what the files of the configuration share.
 *
 *	conf_process_keys.c, conf_keys.c  the tables of [tenantgate]: every key, its type, default,
 *			range and sentence
 *	conf_model.c	the table of [model NAME], and the checks of what it sets
 *	conf_plan.c	the table of [plan NAME], and what a tenant without a plan has
 *	conf_issuer.c	the table of [issuer NAME], and the checks of what it sets
 *	conf_table.h	how a row of these is written
 *	conf_words.c	words of either
 *	conf_section.c	the kinds of section; a section while it is read
 *	conf_file.c	lines of a file -> section, (key, value text), %include
 *	conf_expand.c	${ENV} and @FILE in a value; what of it stands in the file itself
 *	conf_value.c	value text -> the member of the struct that the section fills
 *	conf_print.c	the tables as a sample file and as --help
 *	conf_manual.c	the tables as a manual page
 *	conf_error.c	an error as one line
 *	conf_settings.c	what was read, with its origins, for operators
 *	conf_restart.c	what of a changed file waits for a restart
 *	conf_conceal.c	a URL without its secrets
 *	conf_string.c	the strings a conf owns
 *	conf.c		defaults, then the file, then the checks across keys
 *
 * Calls go one way: conf.c, conf_model.c, conf_issuer.c, conf_file.c, conf_section.c, conf_value.c
 * and conf_expand.c, then the rest.
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "conf.h"

#define CONF_VALUE_MAX	8192	/* bytes of a value, expanded */
#define CONF_ERRORS_MAX	100u	/* with more it is another file, or one that includes itself */
#define CONF_KEYS_MAX	320	/* of a section, headings included */

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

/* conf_words.c */
extern const struct conf_word	send_forms[], system_roles[], encodings[], length_fields[];
extern const struct conf_word	rerank_forms[], plan_switches[], text_languages[];

struct conf_key {
	enum conf_type			 type;
	const char			*name;
	size_t				 offset;	/* in the section's struct */
	size_t				 size;		/* of that member, bytes */
	/* The default as one would write it; where it begins with '$' there is none: the key must
	 * be set, and this is the sample file's example. "=KEY": what KEY of [tenantgate] has,
	 * which is of the same type. */
	const char			*default_text;
	enum conf_empty			 empty;		/* strings */
	uint64_t			 min;		/* numbers, sizes in bytes, times in us */
	uint64_t			 max;
	const struct conf_word		*words;		/* CONF_WORD, ended by NULL */
	const char			*schemes;	/* CONF_URL: "http https" */
	const char			*help;		/* one sentence */
	bool				 needs_restart;	/* else a reload applies it */
};

/* Rows of a kind of section, which may have several tables, a file each. */
struct conf_key_table {
	const struct conf_key	*keys;
	const unsigned		*count;
};

extern const struct conf_key	conf_process_keys[], conf_tls_keys[], conf_browser_keys[],
				conf_token_keys[], conf_all_issuers_keys[], conf_keys[];
extern const unsigned		conf_process_keys_count, conf_tls_keys_count,
				conf_browser_keys_count, conf_token_keys_count,
				conf_all_issuers_keys_count, conf_keys_count;

/* A kind of section: the one without a name, whose keys fill struct conf, or one that may be there
 * several times, each with a name, whose keys fill an item of an array in struct conf. */
struct conf_section {
	const char		*kind;		/* "tenantgate", "model" */
	const char		*help;		/* of a named one: a sentence */
	const struct conf_key_table *tables;	/* in their order; ended by one without keys */
	/* of a named one */
	size_t			 item_size;	/* 0: there is one, without a name */
	size_t			 name_offset;	/* in the item: a const char * */
	size_t			 items_offset;	/* in struct conf: the array */
	size_t			 count_offset;	/* the same: an unsigned */
	unsigned		 items_max;
	const char		*reserved;	/* a name that none may have; or NULL */
	const char		*example;	/* one, for the sample file; or NULL */
};

extern const struct conf_section	conf_sections[];	/* the first: [tenantgate] */
extern const unsigned			conf_section_count;
extern const struct conf_key		conf_model_keys[];
extern const unsigned			conf_model_keys_count;
extern const struct conf_key		conf_plan_keys[];
extern const unsigned			conf_plan_keys_count;
extern const char			conf_plan_example[];
extern const struct conf_key		conf_issuer_keys[];
extern const unsigned			conf_issuer_keys_count;
extern const char			conf_issuer_example[];

/* Where something stands, for an error to name. */
struct conf_place {
	const char	*file;	/* owned by the conf; NULL: nowhere */
	unsigned	 line;	/* from 1; 0: the file as a whole */
};

/* A section while the file is read. */
struct conf_scope {
	struct conf_scope		*next;		/* in the order of the file */
	const struct conf_section	*section;
	const char			*name;		/* owned by the conf; NULL: it has none */
	void				*base;		/* what its keys fill: the conf, or an item
							 * of its own, which is owned */
	struct conf_place		 opened;	/* its line; line 0: the file */
	bool				 is_good;	/* so far: its name, and each value */
	struct conf_place		 seen[CONF_KEYS_MAX];	/* where set, by index of the key */
	unsigned			 turn[CONF_KEYS_MAX];	/* the how many-th that was set */
	bool				 refused[CONF_KEYS_MAX]; /* its value, with a reason */
	bool				 by_environment[CONF_KEYS_MAX];	/* it, or a part of it */
};

/* One run of conf_load(). */
struct conf_reading {
	struct conf		*conf;
	struct buf		*errors;
	unsigned		 error_count;	/* of these; at CONF_ERRORS_MAX the reading ends */
	struct conf_scope	*scopes;		/* owned; the first: [tenantgate] */
	unsigned		 depth;			/* of %include */
	bool			 public;		/* others may read this file */
	bool			 used_environment;	/* by the value that is expanded now */
	unsigned			 turns;			/* keys that were set */
};

/* Adds one error: "FILE:LINE: Sentence.", with line 0 "FILE: Sentence.". Bytes that a terminal
 * would obey are shown as '?'. The caller puts no secret in it. */
void		 conf_error(struct conf_reading *, const struct conf_place *, const char *fmt, ...)
		    __attribute__((format(printf, 3, 4)));
/* A copy that lives as long as the conf, and is wiped at its end. Never NULL. */
const char	*conf_keep(struct conf *, struct slice);

/* Opens [tenantgate], before the file is read, with its defaults. */
void		 conf_scope_first(struct conf_reading *);
/* What a line [...] opens, without its brackets. NULL: what is no kind of section, whose keys are
 * passed over; the error is reported. One that is wrong otherwise is opened all the same, so that
 * its keys are checked. */
struct conf_scope *conf_scope_open(struct conf_reading *, const struct conf_place *,
		    struct slice header);
/* When all is read: takes over what "=KEY" stands for, and puts the items into the conf. */
void		 conf_scopes_fill(struct conf_reading *);
void		 conf_scopes_free(struct conf_reading *);
/* NULL: it has none of that name. */
const struct conf_key *conf_key_find(const struct conf_section *, struct slice name);
/* By number, headings included: those of all tables of the section, in their order. */
unsigned		 conf_key_count(const struct conf_section *);
const struct conf_key	*conf_key_at(const struct conf_section *, unsigned i);
unsigned		 conf_key_index(const struct conf_section *, const struct conf_key *);
/* Where the scope's key was set, or the section opened. */
struct conf_place conf_key_place(const struct conf_scope *, const char *name);
/* Its value was refused already, with a reason: what stands in its place says nothing. */
bool		 conf_key_refused(const struct conf_scope *, const char *name);
/* conf_model.c: what [model NAME], and the keys beside it, must fulfil. */
void		 conf_check_models(struct conf_reading *);
/* conf_issuer.c: what [issuer NAME] must fulfil. */
void		 conf_check_issuers(struct conf_reading *);
/* conf_plan.c: makes the plans of what was read; what they must fulfil. */
void		 conf_make_plans(struct conf *);
void		 conf_check_plans(struct conf_reading *);

/* Reads a file and what it includes. `from`: where it is included, or NULL for the first. */
void		 conf_read_file(struct conf_reading *, const char *path,
		    const struct conf_place *from);

/* Opens a file of any kind to be read without waiting for it; -1 with errno. */
int		 conf_input_open(const char *path);
/* Up to `size` bytes; fewer at the end of the file, -1 with errno: ENODATA of a pipe whose writers
 * take longer than 5 s, or that has none. On the main thread, which a reload must not hold up. */
ssize_t		 conf_input_read(int fd, char *text, size_t size);

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

/* Puts the text into the key's member of `base`, by its type. False with an error reported; the
 * member is as before. */
bool		 conf_store(struct conf_reading *, const struct conf_place *, void *base,
		    const struct conf_key *, struct slice text);

/* A key that has another name now; a file that still has the older one is read as before. */
struct conf_renamed {
	const char	*older, *name;
};
extern const struct conf_renamed	conf_renamed[];	/* of [tenantgate]; ended by NULL */

/* Makes conf.settings. When all is read, and filled in. */
void		 conf_settings_make(struct conf_reading *);
/* Adds the URL without what is secret in it, or may be; true when there was such. */
bool		 conf_conceal_url(struct buf *, struct slice url);

/* Which of several names is nearest to a text: start, try each name, read `best`. */
struct conf_guess {
	char		 text[64];	/* what was written, cut */
	const char	*best;		/* borrowed; NULL while none was near enough to be meant */
	unsigned	 distance;	/* of the best; at first the least that is too far */
};
void		 conf_guess_start(struct conf_guess *, struct slice text);
void		 conf_guess_try(struct conf_guess *, const char *name);

#endif

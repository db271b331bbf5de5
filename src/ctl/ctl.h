/* SPDX-License-Identifier: MIT */
/*
 * ctl: tenantgatectl, the operator's command line, over the admin door. A command is a row of the
 * table in ctl_commands.c: which request it makes, what of the command line goes where, and which
 * members of the answer are shown. One thread, blocking: it asks, shows and ends.
 */
#ifndef CTL_H
#define CTL_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"

/* What the program ends with. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_REFUSED = 1,	/* the server has said no: 4xx */
	CTL_USAGE = 2,		/* the command line makes no sense; nothing was asked */
	CTL_AWAY = 3,		/* no answer, or one that says that it cannot now: 5xx */
};

enum ctl_place { CTL_QUERY, CTL_BODY };
enum ctl_type {
	CTL_TEXT,
	CTL_NUMBER,
	CTL_LIST, /* by commas */
	CTL_SWITCH,
	CTL_LOGIN, /* a URL; one with a password is @FILE, which nobody else may read */
};

struct ctl_option {
	const char	*name;	 /* without its dashes; NULL ends the list */
	const char	*value;	 /* what --help calls it; of a switch what is sent, "true" mostly */
	enum ctl_type	 type;
	enum ctl_place	 place;
	const char	*member; /* in the query or the body */
	const char	*help;
};

enum ctl_flag {
	CTL_PAIRS = 1,	 /* NAME=VALUE words become members of the body */
	CTL_CONFIRM = 2, /* asks before it does it */
	CTL_PAGES = 4,	 /* the answer is a list with "next" */
	CTL_TOP = 8,	 /* asked again and again (ctl_top.h) */
	CTL_LONG = 16,	 /* may take hours: waited for without an end, unless --timeout says */
	CTL_LINES = 32,	 /* tells how far it is: a line of JSON each time, the last is the answer */
	CTL_COUNTED = 64, /* a list of the first ?limit= rows of "count" */
};

struct ctl_command {
	const char		*words;	    /* "tenant list"; NULL ends the table */
	const char		*arguments; /* "TENANT": each one fills a {} of the path */
	const char		*method, *path;
	const struct ctl_option	*options;   /* NULL: none of its own */
	const char		*list;	    /* the member with the rows; NULL: it is one thing */
	const char		*columns;   /* members of a row, by blanks; NULL: all */
	unsigned		 flags;	    /* of enum ctl_flag */
	const char		*help;
};
extern const struct ctl_command ctl_commands[];

/* The row that the words begin with, the longest; *used: how many words it has. NULL: none. */
const struct ctl_command	*ctl_command_find(char *const *words, int count, int *used);
void				 ctl_commands_print(void);
void				 ctl_command_print(const struct ctl_command *);
void				 ctl_manual_print(void); /* contrib/man/tenantgatectl.1 */

/* What of the command line holds for every command. Borrowed from argv and the environment. */
struct ctl_options {
	const char	*url, *key_file;
	const char	*ca_file, *cert_file; /* NULL: of the environment, or none */
	unsigned	 timeout_s; /* 0: not given */
	unsigned	 limit;	   /* rows of a list; 0: all */
	unsigned	 interval_s; /* of top */
	unsigned	 rounds;   /* of top; 0: without end */
	bool		 is_json;  /* what the server says, as it says it */
	bool		 is_dry_run;
	bool		 is_certain; /* --yes */
};

/* ---- asking ---- */
struct ctl_session;
/* NULL with err set: no URL, no key, a file of it that others can read. */
struct ctl_session	*ctl_session_open(const struct ctl_options *, struct err *);
void			 ctl_session_close(struct ctl_session *);	/* NULL is fine */

/* flags of the command whose requests come next: CTL_LONG, CTL_LINES. */
void		ctl_session_expect(struct ctl_session *, unsigned flags);
/* An answer that is waited for is given up within a second of *flag being set, untold: CTL_AWAY. */
void		ctl_session_stop_on(struct ctl_session *, const volatile sig_atomic_t *flag);
/* Sends it, and reads the whole answer. body: NULL for none. what: for the line of progress, that a
 * terminal sees when it takes long. *json: owned by the caller; NULL unless CTL_DONE. Anything else
 * has been told on standard error. */
enum ctl_exit	ctl_ask(struct ctl_session *, const char *what, const char *method,
		    const char *path, const json_t *body, json_t **json);

/* The first word of a file that nobody else can read. False with err set. */
bool	ctl_secret_read(const char *path, char *out, size_t size, struct err *);

/* ---- the request of a command ---- */
/* Path and query, percent-encoded, and the body (owned; NULL: none is sent). */
struct ctl_request {
	struct buf	 path;
	json_t		*body;
};
/* words: what the command line has after the command's. False with err set: too few, too many, an
 * option that it does not have. */
bool	ctl_request_make(struct ctl_request *, const struct ctl_command *,
	    const struct ctl_options *, char *const *words, int count, struct err *);
void	ctl_request_free(struct ctl_request *);
void	ctl_query_add(struct buf *path, const char *name, const char *value);

/* ---- showing ---- */
/* Rows as an aligned table; columns as in struct ctl_command. */
void	ctl_print_rows(const json_t *rows, const char *columns);
/* One thing: a line for each member, what is inside it further in. */
void	ctl_print_object(const json_t *object);
/* A value for people: 3.2 MiB, 5 min, a dash for nothing; no byte that a terminal obeys. By the
 * member's name: ...Bytes, ...Seconds. What there is no room for is "...". */
void	ctl_value_text(struct buf *, const char *member, const json_t *value);
/* Columns that a text takes in a terminal. */
size_t	ctl_width(const char *utf8);
/* The value at a path of members, "neon.state"; NULL. */
json_t	*ctl_member(const json_t *, const char *path);

/* ---- the commands that are more than one request ---- */
enum ctl_exit	ctl_run(struct ctl_session *, const struct ctl_command *,
		    const struct ctl_options *, struct ctl_request *);
/* Candidates for the last of the words, one a line: what bash's completion asks. */
void		ctl_complete(const struct ctl_options *, char *const *words, int count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * admin: the operator's door, a listener of its own: what the process and the installation are
 * doing, and what changes it. Each route is a row of src/admin/admin_route.c and a handler in the
 * file of its name. An admin key is asked for always, also on loopback; a page in a browser gets
 * nothing (see admin_host.h).
 *
 * Everything here is of one worker and runs on its thread. What is told of the process is read
 * through each room's own calls.
 */
#ifndef TENANTGATE_ADMIN_H
#define TENANTGATE_ADMIN_H

#include "tenantgate/api.h"
#include "tenantgate/base/refs.h"

/* A key of the configuration, and what is in force. All texts outlive the admin door, and no secret
 * is in any. */
struct admin_setting {
	const char	*section;	/* "tenantgate", "plan free" */
	const char	*key;
	const char	*value;		/* as JSON */
	const char	*unit;		/* "bytes", "seconds"; NULL: none */
	const char	*origin;	/* "default", "FILE:LINE", "environment" */
	const char	*place;		/* "FILE:LINE" where it is set; NULL: nowhere */
	const char	*in_file;	/* as JSON: what the file says now, where only a restart
					 * applies it; NULL: nothing else */
	bool		 needs_restart;	/* else a reload applies it; only of [tenantgate] */
	bool		 is_changed;	/* by the last reload */
	bool		 is_secret;	/* of the value something is left out */
};

/*
 * One wish to read the configuration anew, and what became of it. Shared by who wishes and who
 * reloads, each of whom lets go of it; so a wish may be left at any time.
 */
struct admin_reload {
	struct refs	 refs;	/* first */
	struct admin_reload *next;	/* of those that wait; who reloads owns the list */
	bool		 is_dry_run;	/* to be told what it would do */
	atomic_bool	 is_done;	/* from then on the rest is there, and does not change */
	bool		 is_refused;	/* the file has errors: nothing was changed */
	char		*outcome;	/* owned: JSON. A list of errors, or what has changed */
};
/* Any thread: takes the wish to the thread that reloads, which holds it until it is done. */
typedef void	admin_reload_fn(void *arg, struct admin_reload *);

/* What one worker's handlers use: all borrowed, and closed after that worker's flows. */
struct admin_context {
	const struct api_context *api;	 /* of this listener: the rooms' parts of this worker */
	const char		 *hosts; /* names that the Host field may have, by commas or blanks;
					  * "": addresses and localhost alone */
	const char		 *version; /* static: of this build */
	struct worker *const	 *workers; /* of this process, as many as have started */
	const atomic_uint	 *worker_count;
	const struct admin_setting *settings;
	unsigned		 setting_count;
	admin_reload_fn		*reload;
	void			*reload_arg;	/* borrowed */
	struct tls_server	*public_tls;	/* borrowed, as the next: of a listener, or NULL */
	struct tls_server	*admin_tls;
};

/* The http_handler_fn of the admin listener, with a struct admin_context; /healthz and /readyz are
 * here too. For the http_refused_fn, api_refused() with its api. */
void	admin_handle(struct http_exchange *, void *ctx);
void	admin_refused(const struct http_exchange *, const char *request_id, const struct err *,
	    void *ctx);

/* False with err set: a list of names that cannot be read. */
bool	admin_hosts_are_valid(const char *list, struct err *);

#endif

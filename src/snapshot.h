/* SPDX-License-Identifier: MIT */
/*
 * snapshot: the configuration as one reading made it, with what is made of it. It does not change;
 * a reload makes another. Workers have the newest; a request holds the one that it began with, and
 * by it all later ones, for what it asks of a worker's services may be of these. The last to let go
 * frees it. Any thread, but for what is said.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "listener_tls.h"
#include "tenantgate/base/refs.h"

struct snapshot {
	struct refs		 refs;	/* first */
	const struct conf	*conf;
	struct refs		*file;		/* held, for the conf's memory; NULL: it
						 * outlives all */
	const struct listener_tls *tls;		/* borrowed: the file's, or of the start */
	struct refs		*servers;	/* held: of models (model.h); NULL: none yet */
	struct snapshot		*next;		/* held: what took its place, set once by who
						 * reloads; NULL: it is the newest */
};

/* The first: the conf outlives it. */
struct snapshot	*snapshot_first(const struct conf *);

/* A file that was read anew, and may yet be refused. The conf is the caller's to change until it is
 * in a snapshot. Errors as conf_load() has them; it is to be given back either way. */
struct conf_file {
	struct refs	 refs;	/* first */
	struct conf	 conf;
	struct listener_tls tls;	/* owned; zeroed until it is read */
};
struct conf_file	*conf_file_new(const char *path, struct buf *errors);
/* Holds the file, too. */
struct snapshot	*snapshot_new(struct conf_file *);
/* Takes the place of the one before, which the caller then lets go of. */
void		 snapshot_follow(struct snapshot *before, struct snapshot *next);

#endif

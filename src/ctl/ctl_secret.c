/* SPDX-License-Identifier: MIT */
/*
 * ctl_secret: what is secret comes from a file: the command line is seen by all users of the
 * machine.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/ctl.h"

/* The file checked is the file read: the mode is the open file's. */
static void
first_line_read(FILE *file, const char *path, char *out, size_t size, struct err *err)
{
	struct stat st;

	if (fstat(fileno(file), &st) != 0)
		err_set(err, ERR_INVALID_FIELD, "The file %.100s cannot be read: %s.", path,
		    strerror(errno));
	else if ((st.st_mode & 0077) != 0)
		err_set(err, ERR_INVALID_FIELD, "Others can read the file %.100s; chmod 600 it.",
		    path);
	else if (fgets(out, (int)size, file) == NULL)
		err_set(err, ERR_INVALID_FIELD, "The file %.100s is empty; write it anew.", path);
	else if (strlen(out) == size - 1 && out[size - 2] != '\n')
		err_set(err, ERR_INVALID_FIELD,
		    "The first line of %.100s is longer than %zu bytes; look at the file.", path,
		    size - 2);
}

bool
ctl_secret_read(const char *path, char *out, size_t size, struct err *err)
{
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		err_set(err, ERR_INVALID_FIELD, "The file %.100s cannot be read: %s.", path,
		    strerror(errno));
		return false;
	}
	first_line_read(file, path, out, size, err);
	(void)fclose(file);
	if (!err_is(err))
		out[strcspn(out, " \t\r\n")] = '\0';
	return !err_is(err);
}

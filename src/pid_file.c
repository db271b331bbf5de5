/* SPDX-License-Identifier: MIT */
/* pid_file: see its header. */
#include "pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tenantgate/base/log.h"

bool
pid_file_open(const char *path, int *fd)
{
	*fd = PID_FILE_NONE;
	if (*path == '\0')
		return true;
	*fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (*fd == -1)
		fprintf(stderr, "tenantgate: pid_file %s cannot be written: %s.\n", path,
		    strerror(errno));
	return *fd != -1;
}

void
pid_file_write(int fd)
{
	if (fd == PID_FILE_NONE)
		return;
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		log_event(LOG_ERR, "serve.pid_file", NULL,
		    "The pid_file cannot be written (%s); make room where it lies.",
		    strerror(errno));
	close(fd);
}

/* SPDX-License-Identifier: MIT */
/* pid_file: opened while the process may still be root, written once it serves. Main thread. */
#ifndef PID_FILE_H
#define PID_FILE_H

#include <stdbool.h>

#define PID_FILE_NONE (-1)

/* What is in the file stays there until pid_file_write(): a start that fails leaves it to the
 * process that runs. The path is "" for none. False, with a sentence on stderr. */
bool	pid_file_open(const char *path, int *fd);
/* Writes our process id and closes the descriptor. */
void	pid_file_write(int fd);

#endif

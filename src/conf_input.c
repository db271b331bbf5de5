/* SPDX-License-Identifier: MIT */
/* conf_input: the bytes of files that a configuration is made of, whatever these are. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "conf_internal.h"
#include "tenantgate/base/clock.h"

#define INPUT_WAIT_US 5000000ull

int
conf_input_open(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* Of a pipe that nobody has opened for writing a read says that it has ended: hence poll(2) first,
 * which waits for who does. */
static bool
input_wait(int fd, uint64_t until_us)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t now = clock_mono_us();
	int n = now >= until_us ? 0 : poll(&p, 1, (int)((until_us - now + 999) / 1000));

	if (n == 0)
		errno = ENODATA;
	return n > 0 || (n < 0 && errno == EINTR);
}

ssize_t
conf_input_read(int fd, char *text, size_t size)
{
	uint64_t until_us = clock_mono_us() + INPUT_WAIT_US;
	size_t n = 0;

	while (n < size) {
		ssize_t got;

		if (!input_wait(fd, until_us))
			return -1;
		got = read(fd, text + n, size - n);
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR && errno != EAGAIN)
			return -1;
	}
	return (ssize_t)n;
}
